import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ByteRequest } from '../../domain/inspection/asking.ts';
import { inMemory, judge, runInspection } from './run.ts';
import {
  fatImage,
  fixedVhdImage,
  gptImage,
  isoImage,
  luksImage,
  mbrImage,
  mbrSignature,
  patched,
  plain,
  qcow2Image,
  qedImage,
  text,
  vdiImage,
  vhdImage,
  vhdxImage,
  vmdkImage,
  vmdkStream,
} from './shapes.ts';

const mib = 1024 * 1024;

/** A valid image of each inspectable format, and its virtual size. */
const valid: readonly (readonly [format: string, bytes: Uint8Array, virtualSize: number])[] = [
  ['qcow2', qcow2Image(), 10 * mib],
  ['qcow2', qcow2Image(2), 10 * mib],
  ['vhd', vhdImage(), 10 * mib],
  ['vhdx', vhdxImage(), 10 * mib],
  ['vmdk', vmdkImage(), 10 * mib],
  ['vmdk', vmdkStream(), 10 * mib],
  ['vdi', vdiImage(), 10 * mib],
  ['iso', isoImage(), isoImage().length],
  ['gpt', gptImage(), 2 * mib],
  ['gpt', mbrImage(), 2 * mib],
  ['luks', luksImage(), mib],
];
const inspectable = ['qcow2', 'vhd', 'vhdx', 'vmdk', 'vdi', 'iso', 'gpt', 'luks'];
const notInspectable = ['ami', 'ari', 'aki', 'ploop'];

/** Asserts a refusal and gives it. */
function refused(bytes: Uint8Array, diskFormat: string) {
  const verdict = judge(bytes, diskFormat);
  assert.ok(!verdict.accepted, `accepted as ${diskFormat}`);
  return verdict;
}

describe('declared and detected formats', () => {
  test('equal ones are accepted, with the virtual size of the header', () => {
    for (const [format, bytes, virtualSize] of valid) {
      assert.deepEqual(judge(bytes, format), { accepted: true, format, virtualSize });
    }
  });

  test('different ones are refused, and the reason names both', () => {
    for (const [format, bytes] of valid) {
      for (const declared of [...inspectable, ...notInspectable].filter(
        (name) => name !== format,
      )) {
        const { reason, detected } = refused(bytes, declared);
        assert.equal(detected, format);
        assert.match(reason, new RegExp(`declared ${declared}, but its content is ${format}`));
      }
    }
  });

  test('a recognised format declared raw is accepted with a warning, its size the byte count', () => {
    for (const [format, bytes] of valid) {
      const verdict = judge(bytes, 'raw');
      assert.ok(verdict.accepted);
      assert.equal(verdict.format, format);
      assert.equal(verdict.virtualSize, bytes.length);
      assert.match(verdict.warning ?? '', new RegExp(`declared raw.*${format}`));
    }
  });

  test('raw may hide no unsafe image', () => {
    const backed = patched(qcow2Image(), [15, Uint8Array.of(1)]);
    assert.match(refused(backed, 'raw').reason, /backing file/);
    assert.match(refused(qedImage(), 'raw').reason, /QED/);
    assert.match(refused(patched(mbrImage(), [446, text('x')]), 'raw').reason, /boot flag/);
  });

  test('nothing recognised is raw, of as many bytes as there are', () => {
    for (const size of [1, 511, 512, 40_000, 2 * mib + 1]) {
      const expected = { accepted: true, format: 'raw', virtualSize: size };
      assert.deepEqual(judge(plain(size), 'raw'), expected);
    }
  });

  test('nothing recognised is refused where an inspectable format was declared', () => {
    for (const declared of [...inspectable, 'qed']) {
      for (const size of [1, 511, 2 * mib]) {
        const { reason, detected } = refused(plain(size), declared);
        assert.equal(detected, null);
        assert.match(reason, new RegExp(`declared ${declared}`));
      }
    }
  });

  test('nothing recognised is accepted where the declared format cannot be inspected', () => {
    for (const format of notInspectable) {
      assert.deepEqual(judge(plain(4096), format), { accepted: true, format, virtualSize: null });
    }
  });

  test('a disc with a partition table is an iso', () => {
    const bytes = patched(isoImage(), [446, mbrImage().slice(446, 510)], mbrSignature);
    const virtualSize = bytes.length;
    assert.deepEqual(judge(bytes, 'iso'), { accepted: true, format: 'iso', virtualSize });
    assert.equal(refused(bytes, 'gpt').detected, 'iso+gpt');
    const raw = judge(bytes, 'raw');
    assert.ok(raw.accepted && raw.format === 'iso');
  });

  test('a disc is an iso even if its partition table is a strange one', () => {
    assert.ok(judge(patched(isoImage(), mbrSignature), 'iso').accepted);
  });

  test('UDF alone and UDF beside ISO 9660 are iso', () => {
    assert.ok(judge(isoImage('NSR02'), 'iso').accepted);
    assert.ok(judge(isoImage('NSR03'), 'iso').accepted);
    const udf = patched(isoImage('BEA01'), [34 * 1024 + 1, text('NSR02')]);
    assert.ok(judge(udf, 'iso').accepted);
    assert.ok(!judge(isoImage('BEA01'), 'iso').accepted, 'an extended area without a volume');
  });

  test('any other mixture is refused, whatever was declared', () => {
    const disc = [32 * 1024 + 1, text('CD001')] as const;
    const mixtures = [
      patched(qcow2Image(), mbrSignature),
      patched(qcow2Image(), disc),
      patched(vmdkImage(), disc),
      patched(vhdxImage(), mbrSignature, disc),
      patched(luksImage(), mbrSignature),
      patched(qcow2Image(), [64, vdiImage().slice(64, 68)]),
    ];
    for (const bytes of mixtures) {
      for (const declared of ['raw', 'qcow2', 'vmdk', 'vhdx', 'luks', 'iso', 'gpt', 'ami']) {
        const { reason, detected } = refused(bytes, declared);
        assert.match(reason, /at once/);
        assert.match(detected ?? '', /\+/);
      }
    }
  });

  test('a FAT volume is not taken for a partition table', () => {
    for (const media of [0xf8, 0xf0]) {
      const virtualSize = fatImage().length;
      const expected = { accepted: true, format: 'raw', virtualSize };
      assert.deepEqual(judge(fatImage(media), 'raw'), expected);
    }
  });

  test('a partition table does not pass for a FAT volume by two of its bytes', () => {
    const bytes = patched(mbrImage(), [0x10, Uint8Array.of(2)], [0x15, Uint8Array.of(0xf8)]);
    assert.ok(judge(bytes, 'gpt').accepted);
  });

  test('a fixed VHD is known by its end', () => {
    const expected = { accepted: true, format: 'vhd', virtualSize: mib };
    assert.deepEqual(judge(fixedVhdImage(), 'vhd'), expected);
    assert.equal(refused(plain(mib), 'vhd').detected, null);
  });

  test('no bytes at all are accepted as any format', () => {
    for (const format of [...inspectable, ...notInspectable, 'raw']) {
      const expected = { accepted: true, format, virtualSize: null };
      assert.deepEqual(judge(new Uint8Array(0), format), expected);
    }
  });

  test('in a container other than bare nothing is asked for', () => {
    for (const containerFormat of ['ami', 'ari', 'aki', 'ovf', 'ova', 'docker', 'compressed']) {
      const declared = { diskFormat: 'qcow2', containerFormat };
      const { verdict, requests } = runInspection(inMemory(qedImage()), declared);
      assert.deepEqual(verdict, { accepted: true, format: 'qcow2', virtualSize: null });
      assert.deepEqual(requests, []);
    }
  });
});

describe('what an inspection asks of its driver', () => {
  const requestsOf = (bytes: Uint8Array, diskFormat: string): readonly ByteRequest[] =>
    runInspection(inMemory(bytes), { diskFormat, containerFormat: 'bare' }).requests;

  test('starts at the beginning, and after the size only wants the end', () => {
    for (const [format, bytes] of [...valid, ['raw', plain(mib), mib] as const]) {
      const requests = requestsOf(bytes, format);
      assert.deepEqual(requests[0], { kind: 'bytes', offset: 0, length: mib });
      const sizeAt = requests.findIndex(({ kind }) => kind === 'size');
      for (const request of requests.slice(sizeAt + 1)) {
        if (request.kind === 'size') continue;
        assert.equal(request.offset + request.length, bytes.length, format);
      }
    }
  });

  test('ends after the first bytes where they already contradict the declared format', () => {
    assert.equal(requestsOf(qcow2Image(), 'vmdk').length, 1);
    assert.equal(requestsOf(plain(2 * mib), 'qcow2').length, 1);
    assert.equal(requestsOf(patched(qcow2Image(), [15, Uint8Array.of(1)]), 'qcow2').length, 1);
  });
});
