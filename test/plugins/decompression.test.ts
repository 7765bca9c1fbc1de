import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { StagingFull } from '../../domain/staging.ts';
import { requireTools } from '../../infra/plugins/confined.ts';
import { decompression } from '../../infra/plugins/decompression.ts';
import { deflatedEntry, gzipBomb, storedEntry, zipBomb, zipOf } from '../support/bombs.ts';
import { requirePackage } from '../support/packages.ts';
import { endlessRoom, gibibyte, mebibyte, pluginRuns, run } from '../support/plugin-runs.ts';

for (const name of ['bzip2', 'xz-utils', 'zstd']) requirePackage(name);
const runs = await pluginRuns();
after(runs.remove);

const limits = { sizeCap: 100 * gibibyte, mostRatio: 20 };
const plugin = decompression(limits, endlessRoom);
const image = Buffer.concat([
  randomBytes(300_000),
  Buffer.alloc(3 * mebibyte),
  randomBytes(70_000),
]);

async function compressedBy(tool: string, ...args: readonly string[]): Promise<Buffer> {
  const { path } = await runs.material(image);
  const options = { encoding: 'buffer', maxBuffer: 64 * mebibyte } as const;
  return (await run(tool, [...args, '-c', path], options)).stdout;
}

const whole: Readonly<Record<string, () => Promise<Buffer>>> = {
  gzip: async () => gzipSync(image),
  'gzip in several members': async () =>
    Buffer.concat([gzipSync(image.subarray(0, 1000)), gzipSync(image.subarray(1000))]),
  bzip2: () => compressedBy('bzip2'),
  xz: () => compressedBy('xz'),
  zstd: () => compressedBy('zstd', '-q'),
  zip: async () => zipOf([deflatedEntry('disk.raw', image)]),
  'zip that stores': async () => zipOf([storedEntry('disk.raw', image)]),
  'zip with a directory': async () =>
    zipOf([storedEntry('images/', Buffer.alloc(0)), deflatedEntry('images/disk.raw', image)]),
  'zip of a name that leads out': async () => zipOf([deflatedEntry('../../etc/passwd', image)]),
};

describe('decompression', () => {
  for (const [what, compressed] of Object.entries(whole))
    test(`gives what is in ${what}`, async () => {
      const before = await runs.material(await compressed());
      const made = await runs.run(plugin, before);
      assert.ok((await readFile(made.path)).equals(image));
      assert.deepEqual(made, { ...before, path: made.path, size: image.length });
    });

  test('leaves holes where there are zeros', async () => {
    const zeros = Buffer.alloc(40 * mebibyte);
    const made = await runs.run(plugin, await runs.material(gzipSync(zeros)));
    assert.equal(made.size, zeros.length);
    assert.ok((await stat(made.path)).blocks * 512 < mebibyte);
  });

  test('goes by the content, and leaves alone what is not compressed, or is to stay so', async () => {
    const plain = await runs.material(image);
    assert.equal(await runs.run(plugin, plain), plain);
    const tiny = await runs.material(Buffer.from([0x1f]));
    assert.equal(await runs.run(plugin, tiny), tiny);
    for (const containerFormat of ['compressed', 'ari']) {
      const kept = await runs.material(gzipSync(image), { containerFormat });
      assert.equal(await runs.run(plugin, kept), kept);
    }
  });

  for (const [what, compressed] of Object.entries(whole))
    test(`refuses half of a ${what}`, async () => {
      const bytes = await compressed();
      const half = await runs.material(bytes.subarray(0, bytes.length / 2));
      await assert.rejects(runs.run(plugin, half), {
        reason: 'format-refused',
        message: /damaged/,
      });
    });

  for (const [what, entries, message] of [
    ['of several files', [deflatedEntry('a', image), deflatedEntry('b', image)], /several files/],
    ['of none', [storedEntry('empty/', Buffer.alloc(0))], /no files/],
    ['that is encrypted', [{ ...deflatedEntry('a', image), encrypted: true }], /encrypted/],
    ['that lies about the size', [{ ...deflatedEntry('a', image), size: 1000 }], /damaged/],
  ] as const)
    test(`refuses an archive ${what}`, async () => {
      const archive = await runs.material(zipOf(entries));
      await assert.rejects(runs.run(plugin, archive), { reason: 'format-refused', message });
    });

  test('ends when it is called off', async () => {
    const stop = new AbortController();
    const material = await runs.material(gzipBomb(1));
    const running = runs.run(
      decompression({ ...limits, mostRatio: 1e6 }, endlessRoom),
      material,
      [],
      stop.signal,
    );
    setImmediate(() => stop.abort(new Error('enough')));
    await assert.rejects(running, { message: 'enough' });
  });

  test('stops where the disk is to stay free', async () => {
    const room = {
      take: async () => Promise.reject(Object.assign(new Error('reserved'), { code: 'ENOSPC' })),
    };
    const material = await runs.material(gzipSync(image));
    await assert.rejects(runs.run(decompression(limits, room), material), StagingFull);
  });

  test('says at the start which tools are missing', async () => {
    await requireTools('image_decompression', ['xz']);
    await assert.rejects(requireTools('image_decompression', ['xz', 'lzip']), {
      message: 'the import plugin image_decompression needs lzip: apt-get install lzip',
    });
  });
});

describe('a bomb', () => {
  const bombs: Readonly<Record<string, () => Buffer>> = {
    'gzip of 10 GiB in 10 MB': () => gzipBomb(10),
    'zip of 10 GiB in 10 MB': () => zipBomb(10),
  };
  for (const [what, bomb] of Object.entries(bombs))
    test(`in ${what} ends early, and says why`, async (t) => {
      const material = await runs.material(bomb());
      assert.ok(material.size > 9e6 && material.size < 12e6, `${material.size} bytes`);
      const usedBefore = await runs.diskUsed();
      const begun = performance.now();
      let most = process.memoryUsage.rss();
      const rss = most;
      const sampling = setInterval(() => {
        most = Math.max(most, process.memoryUsage.rss());
      }, 5);
      await assert.rejects(runs.run(plugin, material), {
        reason: 'too-large',
        message: /^More than 20 times as many bytes come out of the (gzip|zip) file as it has: /,
      });
      clearInterval(sampling);
      const used = (await runs.diskUsed()) - usedBefore;
      const ms = performance.now() - begun;
      t.diagnostic(
        `${ms.toFixed()} ms, ${used >> 20} MiB of disk, ${(most - rss) >> 20} MiB of memory`,
      );
      assert.ok(used <= 20 * material.size + 2 * mebibyte, `${used} bytes of disk`);
      assert.ok(most - rss < 200 * mebibyte, `${most - rss} bytes of memory`);
      assert.ok(ms < 60_000);
    });

  test('that is larger than an image may be ends there, whatever the ratio', async () => {
    const small = decompression({ sizeCap: 100 * mebibyte, mostRatio: 1e6 }, endlessRoom);
    await assert.rejects(runs.run(small, await runs.material(gzipBomb(10))), {
      reason: 'too-large',
      message: /more than the 104857600 bytes that an image may have/,
    });
  });

  test('in an archive that lies about it ends where it said that it would', async () => {
    const material = await runs.material(zipBomb(10, 1000));
    const begun = performance.now();
    await assert.rejects(runs.run(plugin, material), { reason: 'format-refused' });
    assert.ok(performance.now() - begun < 20_000);
  });
});
