import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readdir, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, test } from 'node:test';
import { DigestFailed, digestThreads } from '../../infra/digests/digest-threads.ts';
import { until } from '../support/until.ts';

const root = await mkdtemp(join(tmpdir(), 'daguerre-digests-'));
const threads = digestThreads({ count: 2 });
after(async () => {
  await threads.close();
  await rm(root, { recursive: true });
});

const mebibyte = 1024 * 1024;
const algorithms = ['md5', 'sha512'];
const newPath = (): string => join(root, randomUUID());
const expected = (bytes: Uint8Array) =>
  Object.fromEntries(
    algorithms.map((algorithm) => [algorithm, createHash(algorithm).update(bytes).digest('hex')]),
  );

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = newPath();
  await writeFile(path, bytes);
  return path;
}

/** How often this process has the file open. */
async function openings(path: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    descriptors.map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(path)).length;
}

for (const size of [0, 1, 63, 64, 65, 1000, mebibyte - 1, mebibyte, mebibyte + 1, 5 * mebibyte + 3])
  test(`a file of ${size} bytes has the digests that node:crypto gives`, async () => {
    const bytes = randomBytes(size);
    const path = await fileOf(bytes);
    assert.deepEqual(await threads.follow(path, algorithms).finish(size), expected(bytes));
    assert.equal(await openings(path), 0);
  });

test('a file is followed while it grows, by pieces of any size', async () => {
  const path = await fileOf(Buffer.alloc(0));
  const digesting = threads.follow(path, algorithms);
  const pieces: Buffer[] = [];
  for (const size of [1, 17, mebibyte, 3, 2 * mebibyte + 5, 100_000]) {
    const piece = randomBytes(size);
    await appendFile(path, piece);
    pieces.push(piece);
  }
  const bytes = Buffer.concat(pieces);
  assert.deepEqual(await digesting.finish(bytes.length), expected(bytes));
});

test('bytes after the size count for nothing', async () => {
  const bytes = randomBytes(1000);
  const path = await fileOf(bytes.subarray(0, 600));
  const digesting = threads.follow(path, algorithms);
  await appendFile(path, bytes.subarray(600));
  const first = digesting.finish(1000);
  await appendFile(path, 'more');
  assert.deepEqual(await first, expected(bytes));
});

test('fifty files at once each get their own digests', async () => {
  const all = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const bytes = randomBytes(index * 20_000);
      return { bytes, path: await fileOf(bytes) };
    }),
  );
  const results = await Promise.all(
    all.map(({ bytes, path }) => threads.follow(path, algorithms).finish(bytes.length)),
  );
  for (const [index, { bytes }] of all.entries()) assert.deepEqual(results[index], expected(bytes));
});

test('a small whole file waits neither for a huge one nor for one that grows', async () => {
  const one = digestThreads({ count: 1 });
  try {
    const hugePath = newPath();
    await writeFile(hugePath, '');
    await truncate(hugePath, 2048 * mebibyte);
    let hugeEnded = false;
    const huge = one.follow(hugePath, ['md5']);
    const growing = one.follow(hugePath, ['sha512']);
    const ending = huge.finish(2048 * mebibyte).catch(() => {
      hugeEnded = true;
    });
    const bytes = randomBytes(2 * mebibyte);
    const small = one.follow(await fileOf(bytes), algorithms);
    assert.deepEqual(await small.finish(bytes.length), expected(bytes));
    assert.equal(hugeEnded, false);
    huge.cancel();
    growing.cancel();
    await ending;
    assert.equal(hugeEnded, true);
  } finally {
    await one.close();
  }
});

test('a cancelled digest rejects, and its file is closed', async () => {
  const path = await fileOf(randomBytes(1000));
  const digesting = threads.follow(path, algorithms);
  await until('both threads to open the file', async () => (await openings(path)) === 2);
  digesting.cancel();
  await assert.rejects(digesting.finish(1000), DigestFailed);
  await until('both threads to close it', async () => (await openings(path)) === 0);
  digesting.cancel();
});

test('a missing file fails with the code of the system', async () => {
  await assert.rejects(threads.follow(newPath(), algorithms).finish(1), { code: 'ENOENT' });
});

test('a file shorter than its size fails', async () => {
  const path = await fileOf(randomBytes(10));
  await assert.rejects(threads.follow(path, algorithms).finish(11), /ends at 10 of 11/);
  await until('both threads to close it', async () => (await openings(path)) === 0);
});

test('beside others a shortened file fails, one that is cancelled is closed, and the others go on', async () => {
  const one = digestThreads({ count: 1 });
  try {
    const all = await Promise.all(
      [3 * mebibyte + 7, mebibyte, 5, 4 * mebibyte, 2 * mebibyte].map(async (size) => {
        const bytes = randomBytes(size);
        const path = await fileOf(bytes);
        return { bytes, path, digesting: one.follow(path, ['md5']) };
      }),
    );
    const [first, second, third, shortened, cancelled] = all.map(({ digesting }) => digesting);
    const ends = [first, second, third].map((digesting, nth) =>
      digesting?.finish(all[nth]?.bytes.length ?? 0),
    );
    const failing = shortened?.finish(5 * mebibyte);
    const cancelling = cancelled?.finish(2 * mebibyte);
    cancelled?.cancel();
    await assert.rejects(async () => cancelling, /cancelled/);
    await assert.rejects(async () => failing, /the file ends at 4194304 of 5242880 bytes/);
    for (const [nth, digests] of (await Promise.all(ends)).entries())
      assert.equal(digests?.md5, expected(all[nth]?.bytes ?? Buffer.alloc(0)).md5);
    for (const { path } of all)
      await until('the file to be closed', async () => (await openings(path)) === 0);
  } finally {
    await one.close();
  }
});

test('an unknown algorithm fails its own task only', async () => {
  const path = await fileOf(Buffer.from('abc'));
  await assert.rejects(threads.follow(path, ['md5', 'rot13']).finish(3), DigestFailed);
  assert.deepEqual(await threads.follow(path, algorithms).finish(3), expected(Buffer.from('abc')));
});

test('half of each file is told once for each algorithm', async () => {
  let halves = 0;
  const telling = digestThreads({
    count: 2,
    onHalf: () => {
      halves += 1;
    },
  });
  try {
    const bytes = randomBytes(4 * mebibyte);
    await telling.follow(await fileOf(bytes), algorithms).finish(bytes.length);
    assert.equal(halves, 2);
  } finally {
    await telling.close();
  }
});

test('a thread that dies fails its tasks and is replaced', async () => {
  const body = new URL(`./mortal-thread${extname(import.meta.url)}`, import.meta.url);
  const mortal = digestThreads({ count: 1, body });
  try {
    const path = await fileOf(Buffer.from('abc'));
    const waiting = mortal.follow(path, algorithms);
    await writeFile(join(root, 'poison'), 'p');
    const poison = mortal.follow(join(root, 'poison'), ['md5']);
    await assert.rejects(poison.finish(1), /a digest thread ended: exit 3/);
    await assert.rejects(waiting.finish(3), DigestFailed);
    const again = await mortal.follow(path, algorithms).finish(3);
    assert.deepEqual(again, expected(Buffer.from('abc')));
  } finally {
    await mortal.close();
  }
});
