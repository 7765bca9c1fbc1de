import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { Plugin } from '../../infra/plugins/plugin.ts';
import { PluginRefused } from '../../infra/plugins/plugin.ts';
import { type PluginOptions, pluginsFrom } from '../../infra/plugins/plugins.ts';
import { memoryStore } from '../../infra/store/memory.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { gzipBomb } from '../support/bombs.ts';
import { requirePackage } from '../support/packages.ts';
import { endlessRoom, gibibyte, mebibyte } from '../support/plugin-runs.ts';
import { writableStore } from '../support/stores.ts';
import { until } from '../support/until.ts';
import { bytesOf, caller, gate, hashOf, pipeline, typesOf } from './harness.ts';

requirePackage('qemu-utils');
const run = promisify(execFile);

const disk = Buffer.concat([randomBytes(mebibyte), Buffer.alloc(3 * mebibyte)]);
const qcow2 = await asQcow2(disk);

async function asQcow2(bytes: Uint8Array): Promise<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-qcow2-'));
  const [raw, made] = [join(directory, 'raw'), join(directory, 'qcow2')];
  try {
    await writeFile(raw, bytes);
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, made]);
    return await readFile(made);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const plugins = (some: Partial<PluginOptions> = {}): Promise<readonly Plugin[]> =>
  pluginsFrom(
    {
      names: ['image_decompression', 'image_conversion', 'inject_image_metadata'],
      outputFormat: 'raw',
      injected: { source: 'import' },
      ignoredRoles: [],
      sizeCap: gibibyte,
      mostRatio: 20,
      memoryBytes: gibibyte,
      cpuSeconds: 60,
      timeoutMs: 60_000,
      ...some,
    },
    endlessRoom,
  );

describe('an import with plugins', () => {
  test('is decompressed, converted and described, and its record says so', async () => {
    const system = await pipeline();
    system.startWorker({ plugins: await plugins() });
    const key = await system.uploadToStage(gzipSync(qcow2), 'qcow2');
    await system.requestImport(key);
    const state = await system.reached(key.imageId, 'active');
    assert.ok('content' in state && 'diskFormat' in state);
    assert.ok((await system.stored(key.imageId)).equals(disk));
    assert.deepEqual([state.diskFormat, state.containerFormat], ['raw', 'bare']);
    assert.deepEqual(state.properties, { source: 'import' });
    const { size, virtualSize, digests } = state.content;
    assert.deepEqual([size, virtualSize], [disk.length, disk.length]);
    assert.equal(digests.md5, hashOf('md5', disk));
    assert.deepEqual(typesOf(await system.events(key.imageId)).slice(-7), [
      'IngestClaimed',
      'ImageUpdated',
      'ImageDataStored',
      'ImageDigested',
      'DiskFormatInspected',
      'ImageActivated',
      'ImportCompleted',
    ]);
    await system.onlyLeft([state.content.locations[0]?.key ?? '']);
  });

  test('that none of them has anything to do for is stored as it is', async () => {
    const system = await pipeline();
    system.startWorker({ plugins: await plugins({ ignoredRoles: caller.roles }) });
    const key = await system.uploadToStage(disk);
    await system.requestImport(key);
    await system.reached(key.imageId, 'active');
    assert.ok((await system.stored(key.imageId)).equals(disk));
    assert.ok(!typesOf(await system.events(key.imageId)).includes('ImageUpdated'));
  });

  test('leaves plain uploads alone', async () => {
    const system = await pipeline();
    system.startWorker({ plugins: await plugins() });
    const { imageId } = await system.upload(qcow2, 'qcow2');
    await system.reached(imageId, 'active');
    assert.ok((await system.stored(imageId)).equals(qcow2));
  });

  test('fails with the reason where nothing can be made of it, and leaves nothing', async () => {
    const system = await pipeline();
    system.startWorker({ plugins: await plugins() });
    const failures = [
      [gzipBomb(1).subarray(0, 5_000_000), 'raw', 'too-large', /More than 20 times/],
      [gzipSync(disk).subarray(0, 500_000), 'raw', 'format-refused', /damaged or cut short/],
      [qcow2, 'vmdk', 'format-refused', /content is qcow2/],
    ] as const;
    for (const [bytes, format, reason, message] of failures) {
      const key = await system.uploadToStage(bytes, format);
      await system.requestImport(key);
      await system.reached(key.imageId, 'queued');
      const last = (await system.events(key.imageId)).at(-1);
      assert.deepEqual([last?.type, last?.data.reason], ['IngestFailed', reason]);
      assert.match(String(last?.data.message), message);
    }
    await system.onlyLeft();
  });

  test('that a worker died over is made again, by whoever takes it over', async () => {
    const system = await pipeline();
    const held = gate();
    const stuck: Plugin = {
      name: 'stuck',
      run: async (material, { newFile }) => {
        await writeFile(await newFile(), 'half');
        await held.pass();
        throw new PluginRefused('plugin-failed', `too late for ${material.path}`);
      },
    };
    const zombie = system.startWorker({ plugins: [stuck], slots: 1 });
    const key = await system.uploadToStage(qcow2, 'qcow2');
    await system.requestImport(key);
    await until('the first to be at it', () => held.reached === 1);
    system.dead.add(zombie.owner);
    system.startWorker({ plugins: await plugins() });
    const state = await system.reached(key.imageId, 'active');
    assert.ok((await system.stored(key.imageId)).equals(disk));
    held.open();
    await system.onlyLeft(['content' in state ? (state.content.locations[0]?.key ?? '') : '']);
    await zombie.stop();
  });

  test('into several stores has in each what was made for the first', async () => {
    const system = await pipeline();
    const other = memoryStore();
    const stores = storesFrom(
      [writableStore('file', system.store), writableStore('other', other)],
      'file',
    );
    let runs = 0;
    // As a VMDK is another each time.
    const fickle: Plugin = {
      name: 'fickle',
      run: async (material, { newFile }) => {
        runs += 1;
        const path = await newFile();
        await writeFile(path, randomBytes(1000));
        return { ...material, path, size: 1000 };
      },
    };
    let recorded = 0;
    system.startWorker({
      plugins: [fickle],
      stores,
      slots: 1,
      owner: 'first',
      passStep: (name) => {
        if (name !== 'worker.copy-recorded') return;
        recorded += 1;
        system.dead.add('first');
        throw new Error('dead');
      },
    });
    const key = await system.uploadToStage(disk);
    await system.requestImport(key, ['file', 'other']);
    await until('the first store to have it', () => recorded === 1);
    system.startWorker({ plugins: [fickle], stores });
    const state = await system.reached(key.imageId, 'active');
    assert.ok('content' in state);
    const [one, two] = state.content.locations;
    const inFirst = await bytesOf(system.store, one?.key ?? '');
    assert.ok(inFirst.equals(await bytesOf(other, two?.key ?? '')));
    assert.equal(inFirst.length, 1000);
    assert.equal(runs, 1);
    assert.equal(hashOf('md5', inFirst), state.content.digests.md5);
  });
});
