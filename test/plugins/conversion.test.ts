import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { StagingFull } from '../../domain/staging.ts';
import { conversion, type OutputFormat } from '../../infra/plugins/conversion.ts';
import { inspectFile } from '../../infra/plugins/inspect-file.ts';
import { pluginsFrom } from '../../infra/plugins/plugins.ts';
import { requireHarmless } from '../../infra/plugins/qemu-info.ts';
import { qcow2Bomb } from '../support/bombs.ts';
import { requirePackage } from '../support/packages.ts';
import { endlessRoom, gibibyte, mebibyte, pluginRuns, run } from '../support/plugin-runs.ts';

requirePackage('qemu-utils');
const runs = await pluginRuns();
after(runs.remove);

const limits = {
  sizeCap: 100 * gibibyte,
  mostRatio: 20,
  memoryBytes: gibibyte,
  cpuSeconds: 600,
  timeoutMs: 600_000,
};
const to = (format: OutputFormat, some: Partial<typeof limits> = {}) =>
  conversion(format, { ...limits, ...some }, endlessRoom);
const disk = Buffer.concat([randomBytes(2 * mebibyte), Buffer.alloc(6 * mebibyte)]);
const sources = { qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc', vhdx: 'vhdx' } as const;

async function made(diskFormat: string, driver: string, ...options: readonly string[]) {
  const raw = await runs.newFile();
  await writeFile(raw, disk);
  const path = await runs.newFile();
  await run('qemu-img', ['convert', '-f', 'raw', '-O', driver, ...options, raw, path]);
  return runs.materialAt(path, diskFormat);
}

/** A disk with one partition in an MBR. */
const partitioned = ((): Buffer => {
  const bytes = Buffer.concat([Buffer.alloc(mebibyte), randomBytes(mebibyte)]);
  bytes.writeUInt8(0x80, 446);
  bytes.writeUInt8(0x83, 450);
  bytes.writeUInt32LE(2048, 454);
  bytes.writeUInt32LE(2048, 458);
  bytes.writeUInt16LE(0xaa55, 510);
  return bytes;
})();

/** The disk in a file, as qemu-img reads it. */
async function diskIn(path: string, driver: string): Promise<Buffer> {
  const raw = await runs.newFile();
  await run('qemu-img', ['convert', '-f', driver, '-O', 'raw', path, raw]);
  return readFile(raw);
}

describe('conversion', () => {
  for (const [format, driver] of Object.entries(sources))
    test(`makes a raw disk of a ${format}`, async () => {
      const before = await made(format, driver);
      const after = await runs.run(to('raw'), before);
      const bytes = await readFile(after.path);
      assert.ok(bytes.subarray(0, disk.length).equals(disk));
      assert.deepEqual(after, {
        ...before,
        path: after.path,
        size: bytes.length,
        diskFormat: 'raw',
      });
      assert.ok((await stat(after.path)).blocks * 512 < 3 * mebibyte, 'zeros are holes');
    });

  for (const format of ['qcow2', 'vmdk'] as const)
    test(`makes a ${format} of a raw disk that passes inspection as one`, async () => {
      const after = await runs.run(to(format), await runs.material(disk));
      assert.ok((await diskIn(after.path, format)).equals(disk));
      assert.equal(after.diskFormat, format);
      assert.equal(after.size, (await stat(after.path)).size);
      const declared = { diskFormat: format, containerFormat: 'bare' };
      const verdict = await inspectFile(after.path, declared);
      assert.equal(verdict.accepted && verdict.virtualSize, disk.length);
    });

  test('takes a partition table for what a raw disk has', async () => {
    const path = await runs.newFile();
    await writeFile(path, partitioned);
    const after = await runs.run(to('qcow2'), await runs.materialAt(path, 'raw'));
    assert.ok((await diskIn(after.path, 'qcow2')).equals(partitioned));
  });

  test('leaves alone what has the format already, or none that a disk is made of', async () => {
    const ready = await made('qcow2', 'qcow2');
    assert.equal(await runs.run(to('qcow2'), ready), ready);
    for (const diskFormat of ['iso', 'aki', 'ploop']) {
      const other = await runs.material(disk, { diskFormat });
      assert.equal(await runs.run(to('raw'), other), other);
    }
    const inside = { ...ready, containerFormat: 'ova' };
    assert.equal(await runs.run(to('raw'), inside), inside);
  });

  test('refuses what is not what it is declared, before a converter sees it', async () => {
    const qcow2 = await made('qcow2', 'qcow2');
    for (const diskFormat of ['raw', 'vdi'])
      await assert.rejects(runs.run(to('vmdk'), { ...qcow2, diskFormat }), {
        reason: 'format-refused',
        message: /content is qcow2: set disk_format to qcow2/,
      });
  });

  test('refuses an image that leads to another file', async () => {
    const secret = await runs.newFile();
    await writeFile(secret, disk);
    const path = await runs.newFile();
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', secret, '-F', 'raw', path]);
    const material = await runs.materialAt(path, 'qcow2');
    await assert.rejects(runs.run(to('raw'), material), { reason: 'format-refused' });
    const never = new AbortController().signal;
    await assert.rejects(requireHarmless(path, 'qcow2', never), {
      reason: 'format-refused',
      message: /refers to another file/,
    });
    const split = await made('vmdk', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse');
    await assert.rejects(runs.run(to('raw'), split), { reason: 'format-refused' });
    await assert.rejects(requireHarmless(split.path, 'vmdk', never), { reason: 'format-refused' });
  });

  test('refuses what is damaged', async () => {
    const bytes = qcow2Bomb(1);
    bytes.fill('x', 4 * 2 * mebibyte);
    const material = await runs.material(bytes, { diskFormat: 'qcow2' });
    await assert.rejects(runs.run(to('raw'), material), {
      reason: 'plugin-failed',
      message: /it is damaged, or needs more memory/,
    });
  });

  test('refuses a disk that is larger than an image may be', async () => {
    const path = await runs.newFile();
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', path, '101G']);
    const material = await runs.materialAt(path, 'qcow2');
    await assert.rejects(runs.run(to('raw'), material), {
      reason: 'too-large',
      message: /has 108447924224 bytes, more than the 107374182400 that an image may have/,
    });
  });

  test('ends when it takes too long, too much of a processor, or too much memory', async () => {
    const slow = await runs.material(qcow2Bomb(10), { diskFormat: 'qcow2' });
    const patient = { mostRatio: 1e6 };
    await assert.rejects(runs.run(to('raw', { ...patient, timeoutMs: 50 }), slow), {
      reason: 'plugin-failed',
      message: /took longer than 0\.05 s/,
    });
    await assert.rejects(runs.run(to('raw', { ...patient, cpuSeconds: 1 }), slow), {
      reason: 'plugin-failed',
      message: /more than 1 s of a processor/,
    });
    await assert.rejects(runs.run(to('raw', { memoryBytes: 40 * mebibyte }), slow), {
      reason: 'plugin-failed',
    });
  });

  test('stops where the disk is to stay free', async () => {
    const room = {
      take: async () => Promise.reject(Object.assign(new Error('reserved'), { code: 'ENOSPC' })),
    };
    const plugin = conversion('raw', limits, room);
    const material = await runs.material(qcow2Bomb(10), { diskFormat: 'qcow2' });
    await assert.rejects(runs.run(plugin, material), StagingFull);
  });

  test('ends when it is called off', async () => {
    const stop = new AbortController();
    const material = await runs.material(qcow2Bomb(10), { diskFormat: 'qcow2' });
    const running = runs.run(to('raw', { mostRatio: 1e6 }), material, [], stop.signal);
    setTimeout(() => stop.abort(new Error('enough')), 300);
    await assert.rejects(running, { message: 'enough' });
  });
});

test('a bomb of 10 GiB in 10 MB of qcow2 ends early, and says why', async (t) => {
  const material = await runs.material(qcow2Bomb(10), { diskFormat: 'qcow2' });
  assert.ok(material.size < 12e6);
  const usedBefore = await runs.diskUsed();
  const begun = performance.now();
  await assert.rejects(runs.run(to('raw'), material), {
    reason: 'too-large',
    message: /^More than 20 times as many bytes come out of the image as it has/,
  });
  const used = (await runs.diskUsed()) - usedBefore;
  t.diagnostic(`${(performance.now() - begun).toFixed()} ms, ${used >> 20} MiB of disk`);
  assert.ok(used < 2 * gibibyte, `${used} bytes of disk`);
});

test('plugins run in the order in which they are named, and are missed by name', async () => {
  const options = {
    ...limits,
    names: ['inject_image_metadata', 'no_op', 'image_conversion', 'image_decompression'],
    outputFormat: 'raw',
    injected: { source: 'import', os_type: 'linux' },
    ignoredRoles: ['admin'],
  } as const;
  const plugins = await pluginsFrom(options, endlessRoom);
  assert.deepEqual(
    plugins.map(({ name }) => name),
    ['inject_image_metadata', 'image_conversion', 'image_decompression'],
  );
  const [injection] = plugins;
  assert.ok(injection);
  const material = await runs.material(disk, { properties: { os_type: 'windows' } });
  const properties = { os_type: 'linux', source: 'import' };
  assert.deepEqual(await runs.run(injection, material, ['member']), { ...material, properties });
  assert.equal(await runs.run(injection, material, ['member', 'Admin']), material);
});
