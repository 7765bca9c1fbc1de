import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { maxRequestBytes, maxRequests } from '../../domain/inspection/asking.ts';
import { crc32c } from '../../domain/inspection/crc32c.ts';
import { type MadeImage, makeImages, qemuImg } from './fixtures.ts';
import { type Readable, type Run, runInspection } from './run.ts';
import {
  le32,
  type Patch,
  patched,
  vhdxChecksummed,
  vmdkStream,
  withFooterChecksum,
} from './shapes.ts';

// biome-ignore lint/style/noProcessEnv: a failing seed must be repeatable, and a longer hunt possible, without an edit
const { INSPECTION_SEED, INSPECTION_RUNS } = process.env;
const seed = Number(INSPECTION_SEED ?? 20_260_801);
/** Mutants of each image. */
const runs = Number(INSPECTION_RUNS ?? 250);

const longestMs = 2000;
const mostReadBytes = 2 * maxRequestBytes;

/** Integers below `limit`, the same for the same seed (mulberry32). */
function randomFrom(start: number): (limit: number) => number {
  let state = start >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

/** An image cut off at `size`, with patches over it. Copies only what is read. */
const mutantOf = (bytes: Uint8Array, size: number, patches: readonly Patch[]): Readable => ({
  size,
  read(offset, length) {
    const piece = new Uint8Array(bytes.subarray(offset, Math.min(offset + length, size)));
    for (const [at, patch] of patches) {
      for (const [index, value] of patch.entries()) {
        const place = at + index - offset;
        if (place >= 0 && place < piece.length) piece[place] = value;
      }
    }
    return piece;
  },
});

const extremes = [
  0n,
  1n,
  2n,
  0x7fn,
  0xffn,
  0x7fff_ffffn,
  0xffff_ffffn,
  2n ** 40n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Where the bytes that decide lie: the first sector and, of everything that was asked for, the first 4 KiB. */
function decisiveRanges(run: Run): readonly (readonly [start: number, length: number])[] {
  const asked = run.requests.flatMap((request) =>
    request.kind === 'bytes' ? [[request.offset, Math.min(request.length, 4096)] as const] : [],
  );
  const tables = [64, 128, 192, 256].map((kib) => [kib * 1024, 128] as const);
  return [
    [0, 128],
    [0, 128],
    [0, 512],
    [446, 66],
    [512, 1024],
    [32 * 1024, 64],
    ...tables,
    ...asked,
  ];
}

function mutate(bytes: Uint8Array, run: Run, random: (limit: number) => number): Readable {
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const ranges = decisiveRanges(run);
  const place = () => {
    const [start, length] = pick(ranges);
    return start + random(length);
  };
  const patch = (): Patch => {
    const value = Buffer.alloc(8);
    if (random(2) === 0) return [place(), Uint8Array.of(random(256))];
    const number = pick([...extremes, BigInt(bytes.length), BigInt(random(bytes.length))]);
    if (random(2) === 0) value.writeBigUInt64BE(number);
    else value.writeBigUInt64LE(number);
    const width = pick([2, 4, 8]);
    const at = place() & ~3;
    return [at, random(2) === 0 ? value.subarray(0, width) : value.subarray(8 - width)];
  };

  const cut = random(3) === 0;
  const size = cut
    ? random(2) === 0
      ? random(bytes.length + 1)
      : Math.min(place(), bytes.length)
    : bytes.length;
  const count = cut && random(2) === 0 ? 0 : 1 + random(4);
  const patches = Array.from({ length: count }, patch);
  const mutant = mutantOf(bytes, size, patches);
  return random(2) === 0 ? mutant : checksumsRepaired(mutant, bytes, size, patches);
}

/** Checksums that fit the mutation, so that what lies behind them is reached; other formats as they are. */
function checksumsRepaired(
  mutant: Readable,
  bytes: Uint8Array,
  size: number,
  patches: readonly Patch[],
): Readable {
  const signature = Buffer.from(mutant.read(0, 8)).toString('latin1');
  if (signature === 'conectix') {
    const footer = withFooterChecksum(patched(new Uint8Array(512), [0, mutant.read(0, 512)]));
    return mutantOf(bytes, size, [...patches, [0, footer], [size - 512, footer]]);
  }
  if (signature !== 'vhdxfile') return mutant;
  const repairs = vhdxChecksummed.map(
    ([at, length]): Patch => [at + 4, le32(crc32c(mutant.read(at, length), 4))],
  );
  return mutantOf(bytes, size, [...patches, ...repairs]);
}

/** Fails if the inspection broke its bounds or gave a verdict that nobody can use. */
function requireBounded({ verdict, requests }: Run): void {
  assert.ok(requests.length <= maxRequests, `asked ${requests.length} times`);
  let total = 0;
  for (const request of requests) {
    if (request.kind === 'size') continue;
    assert.ok(Number.isSafeInteger(request.offset) && request.offset >= 0, `at ${request.offset}`);
    assert.ok(Number.isSafeInteger(request.length) && request.length > 0, `of ${request.length}`);
    assert.ok(request.length <= maxRequestBytes, `${request.length} at once`);
    total += request.length;
  }
  assert.ok(total <= mostReadBytes, `asked for ${total} bytes`);
  if (verdict.accepted) {
    const size = verdict.virtualSize;
    assert.ok(size === null || (Number.isSafeInteger(size) && size >= 0), `virtual size ${size}`);
  } else {
    assert.match(verdict.reason, /^The image|^The \w+ image/);
    assert.match(verdict.reason, /^[\x20-\x7e]{20,400}\.$/);
  }
}

describe('mutated and truncated images', () => {
  let dir = '';
  let images: readonly (MadeImage & { readonly bytes: Uint8Array })[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'inspection-'));
    const stream = {
      name: 'vmdk with a footer',
      path: join(dir, 'stream.vmdk'),
      diskFormat: 'vmdk',
    };
    await writeFile(stream.path, vmdkStream());
    const made = [
      ...(await makeImages(dir)),
      { ...stream, qemuFormat: 'vmdk', virtualSize: 10 * 1024 * 1024, refusal: null },
    ];
    images = await Promise.all(
      made.map(async (image) => ({ ...image, bytes: await readFile(image.path) })),
    );
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('never throw, never read without bound, never take long', (t) => {
    const counts = { accepted: 0, refused: 0, slowestMs: 0 };
    for (const [index, { name, diskFormat, bytes }] of images.entries()) {
      const whole = runInspection(mutantOf(bytes, bytes.length, []), {
        diskFormat,
        containerFormat: 'bare',
      });
      const random = randomFrom(seed + index);
      for (let number = 0; number < runs; number++) {
        const mutant = mutate(bytes, whole, random);
        const declared = random(4) === 0 ? 'raw' : diskFormat;
        const started = performance.now();
        try {
          const run = runInspection(mutant, { diskFormat: declared, containerFormat: 'bare' });
          requireBounded(run);
          counts[run.verdict.accepted ? 'accepted' : 'refused']++;
        } catch (error) {
          throw new Error(`${name}, mutant ${number} of seed ${seed}: ${error}`, { cause: error });
        }
        counts.slowestMs = Math.max(counts.slowestMs, performance.now() - started);
      }
    }
    t.diagnostic(`seed ${seed}: ${images.length * runs} mutants, ${JSON.stringify(counts)}`);
    assert.ok(counts.slowestMs < longestMs, `the slowest took ${counts.slowestMs} ms`);
    assert.ok(counts.accepted > 0 && counts.refused > counts.accepted / 4, JSON.stringify(counts));
  });

  test('that are still accepted never lead QEMU to another file, and have the size that it sees', async (t) => {
    const counts = { compared: 0, unreadable: 0 };
    const disks = images.filter(({ diskFormat, bytes, refusal }) => {
      const known = ['qcow2', 'vmdk', 'vdi', 'vhdx', 'vhd'].includes(diskFormat);
      return known && refusal === null && bytes.length < 8 * 1024 * 1024;
    });
    for (const [index, { name, path, diskFormat, qemuFormat, bytes }] of disks.entries()) {
      const declared = { diskFormat, containerFormat: 'bare' };
      const whole = runInspection(mutantOf(bytes, bytes.length, []), declared);
      const random = randomFrom(seed + 1000 + index);
      for (let number = 0, left = Math.ceil(runs / 60); number < runs && left > 0; number++) {
        const mutant = mutate(bytes, whole, random);
        const { verdict } = runInspection(mutant, declared);
        if (!verdict.accepted) continue;
        left--;
        const target = join(dir, `mutant.${qemuFormat}`);
        await writeFile(target, mutant.read(0, mutant.size));
        const info = await qemuImg('info', '--output=json', '-f', qemuFormat, target).catch(
          () => null,
        );
        if (info === null) {
          counts.unreadable++;
          continue;
        }
        counts.compared++;
        const at = `${name} (${path}), mutant ${number} of seed ${seed}`;
        // QEMU counts whole sectors, the header bytes
        const difference = JSON.parse(info)['virtual-size'] - (verdict.virtualSize ?? 0);
        assert.ok(Math.abs(difference) < 512, `${at}: the size differs by ${difference}`);
        assert.doesNotMatch(info, /"backing-filename"|"data-file"/, at);
        for (const [, file] of info.matchAll(/"filename": "(.*)"/g)) assert.equal(file, target, at);
      }
    }
    t.diagnostic(`seed ${seed}: ${JSON.stringify(counts)}`);
    assert.ok(counts.compared > counts.unreadable, JSON.stringify(counts));
  });
});
