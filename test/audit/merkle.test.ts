import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  consistencyProof,
  inclusionProof,
  isConsistent,
  isIncluded,
  joined,
  type LeafRange,
  leafHash,
  nodesOf,
  rootOf,
} from '../../domain/audit/merkle.ts';
import { sha256 } from '../../infra/audit/sha256.ts';

/**
 * The eight leaves, roots and proofs that the Certificate Transparency reference implementations test RFC 6962 with
 * (`proof/verify_test.go` of transparency-dev/merkle); RFC 9162, 2.1.5 has no bytes in its example.
 */
const leaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const inclusions = [
  {
    index: 0,
    size: 8,
    proof: [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  },
  {
    index: 5,
    size: 8,
    proof: [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  {
    index: 2,
    size: 3,
    proof: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
  },
  {
    index: 1,
    size: 5,
    proof: [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  },
];
const consistencies = [
  { first: 1, second: 1, proof: [] },
  {
    first: 1,
    second: 8,
    proof: [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  },
  {
    first: 6,
    second: 8,
    proof: [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  {
    first: 2,
    second: 5,
    proof: [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  },
  {
    first: 6,
    second: 7,
    proof: [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
];

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');
const hashes = leaves.map((leaf) => leafHash(sha256, bytes(leaf)));
const hashOf =
  (all: readonly Uint8Array[]) =>
  (range: LeafRange): Uint8Array =>
    joined(
      sha256,
      nodesOf(range).map(({ level, index }) =>
        rootOf(sha256, all.slice(index * 2 ** level, (index + 1) * 2 ** level)),
      ),
    );
const flipped = (hash: Uint8Array): Uint8Array =>
  hash.map((byte, at) => (at === 3 ? byte ^ 8 : byte));

describe('The tree of RFC 6962', () => {
  test('has the published roots, the empty one among them', () => {
    assert.equal(
      hex(rootOf(sha256, [])),
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    for (const [at, root] of roots.entries())
      assert.equal(hex(rootOf(sha256, hashes.slice(0, at + 1))), root);
  });

  test('proves what is in it as published', () => {
    for (const { index, size, proof } of inclusions) {
      const made = inclusionProof(index, size).map(hashOf(hashes)).map(hex);
      assert.deepEqual(made, proof);
    }
  });

  test('proves what it grew out of as published', () => {
    for (const { first, second, proof } of consistencies) {
      const made = consistencyProof(first, second).map(hashOf(hashes)).map(hex);
      assert.deepEqual(made, proof);
    }
  });

  test('believes the published proofs of inclusion, and nothing near them', () => {
    for (const { index, size, proof } of inclusions) {
      const leaf = hashes[index] ?? Buffer.alloc(0);
      const root = bytes(roots[size - 1] ?? '');
      const given = { index, size, leaf, root, proof: proof.map(bytes) };
      assert.ok(isIncluded(sha256, given));
      const wrong = [
        { ...given, index: index + 1 },
        { ...given, index: index - 1 },
        { ...given, index: index ^ 2 },
        { ...given, size: 2 * size },
        { ...given, size: Math.floor(size / 2) },
        { ...given, leaf: flipped(leaf) },
        { ...given, root: flipped(root) },
        { ...given, proof: [...given.proof, root] },
        { ...given, proof: [root, ...given.proof] },
        { ...given, proof: [...given.proof, Buffer.alloc(0)] },
        { ...given, proof: given.proof.slice(1) },
        ...given.proof.map((_, at) => ({
          ...given,
          proof: given.proof.map((one, which) => (which === at ? flipped(one) : one)),
        })),
      ];
      for (const one of wrong) assert.ok(!isIncluded(sha256, one));
    }
  });

  test('believes the published proofs of consistency, and nothing near them', () => {
    for (const { first, second, proof } of consistencies) {
      const [firstRoot, secondRoot] = [
        bytes(roots[first - 1] ?? ''),
        bytes(roots[second - 1] ?? ''),
      ];
      const given = { first, second, firstRoot, secondRoot, proof: proof.map(bytes) };
      assert.ok(isConsistent(sha256, given));
      if (proof.length === 0) continue;
      const wrong = [
        { ...given, first: first - 1 || second + 1 },
        { ...given, first: first + 1 },
        { ...given, second: 2 * second },
        { ...given, second: Math.floor(second / 2) },
        { ...given, firstRoot: flipped(firstRoot) },
        { ...given, secondRoot: flipped(secondRoot) },
        { ...given, firstRoot: secondRoot, secondRoot: firstRoot },
        { ...given, proof: [] },
        { ...given, proof: [...given.proof, secondRoot] },
        { ...given, proof: [firstRoot, ...given.proof] },
        { ...given, proof: given.proof.slice(0, -1) },
        ...given.proof.map((_, at) => ({
          ...given,
          proof: given.proof.map((one, which) => (which === at ? flipped(one) : one)),
        })),
      ];
      for (const [at, one] of wrong.entries()) assert.ok(!isConsistent(sha256, one), `wrong ${at}`);
    }
  });

  test('proves every leaf and every earlier tree, at any size up to 70', () => {
    const all = Array.from({ length: 70 }, (_, number) => leafHash(sha256, Buffer.from([number])));
    for (let size = 1; size <= all.length; size += 1) {
      const root = rootOf(sha256, all.slice(0, size));
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionProof(index, size).map(hashOf(all));
        const leaf = all[index] ?? root;
        assert.ok(isIncluded(sha256, { index, size, leaf, root, proof }));
      }
      for (let first = 0; first <= size; first += 1) {
        const proof = consistencyProof(first, size).map(hashOf(all));
        const firstRoot = rootOf(sha256, all.slice(0, first));
        const given = { first, second: size, firstRoot, secondRoot: root, proof };
        assert.ok(isConsistent(sha256, given), `${first} to ${size}`);
      }
    }
  });
});
