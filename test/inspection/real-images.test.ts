import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type MadeImage, makeImages, qemuInfo } from './fixtures.ts';
import { judge } from './run.ts';
import { vmdkStream } from './shapes.ts';

describe('images as qemu-img makes them', () => {
  let dir = '';
  let images: readonly MadeImage[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'inspection-'));
    images = await makeImages(dir);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('are accepted with the virtual size that qemu-img gives, unless they are unsafe', async (t) => {
    for (const { name, path, diskFormat, virtualSize, refusal } of images) {
      await t.test(name, async () => {
        const verdict = judge(await readFile(path), diskFormat);
        if (refusal === null) {
          assert.deepEqual(verdict, { accepted: true, format: diskFormat, virtualSize });
        } else {
          assert.ok(!verdict.accepted, 'accepted');
          assert.match(verdict.reason, refusal);
          assert.equal(verdict.detected, diskFormat);
        }
      });
    }
  });

  test('declared raw are kept as raw bytes, unless they are unsafe', async (t) => {
    for (const { name, path, diskFormat, refusal } of images) {
      await t.test(name, async () => {
        const bytes = await readFile(path);
        const verdict = judge(bytes, 'raw');
        if (refusal !== null) {
          assert.ok(!verdict.accepted, 'accepted');
          assert.match(verdict.reason, refusal);
          return;
        }
        assert.ok(verdict.accepted, 'refused');
        assert.equal(verdict.virtualSize, bytes.length);
        // of a fixed VHD only the footer tells, and nobody looks there unless told that it is one
        const recognised = name === 'vhd fixed' ? 'raw' : diskFormat;
        assert.equal(verdict.format, recognised);
        assert.equal('warning' in verdict, recognised !== 'raw');
      });
    }
  });

  test('declared as another inspectable format are refused', async () => {
    for (const { path, diskFormat } of images) {
      const bytes = await readFile(path);
      for (const declared of ['qcow2', 'vmdk', 'vdi', 'vhd', 'vhdx', 'iso', 'luks', 'gpt']) {
        if (declared !== diskFormat)
          assert.ok(!judge(bytes, declared).accepted, `${path} as ${declared}`);
      }
    }
  });

  test('a hand-made stream with a footer is what QEMU takes for streamOptimized', async () => {
    const path = join(dir, 'stream.vmdk');
    await writeFile(path, vmdkStream());
    const virtualSize = (await qemuInfo(path, 'vmdk'))['virtual-size'];
    assert.deepEqual(judge(vmdkStream(), 'vmdk'), { accepted: true, format: 'vmdk', virtualSize });
  });
});
