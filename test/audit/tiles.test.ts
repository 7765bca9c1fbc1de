import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leafHash, rootOf } from '../../domain/audit/merkle.ts';
import {
  growingTree,
  hashesOf,
  type Tile,
  tileFrom,
  tilePath,
  widthAt,
  widthOf,
} from '../../domain/audit/tiles.ts';
import { proofsFrom } from '../../infra/audit/proofs.ts';
import { sha256 } from '../../infra/audit/sha256.ts';

const leaf = (number: number): Uint8Array => leafHash(sha256, Buffer.from(String(number)));
const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

/** Tiles by name, as a store keeps them: a wider one replaces what it grew out of. */
function keeping() {
  const kept = new Map<string, Tile>();
  return {
    kept,
    take(tiles: readonly Tile[]): void {
      for (const tile of tiles) kept.set(`${tile.level}/${tile.index}`, tile);
    },
    store: {
      tiles: async (names: readonly { level: number; index: number }[]) =>
        names.flatMap(({ level, index }) => kept.get(`${level}/${index}`) ?? []),
    },
  };
}

describe('Tiles (C2SP tlog-tiles)', () => {
  test('have the paths that the specification gives', () => {
    assert.equal(tilePath(1234067), 'x001/x234/067');
    assert.equal(tilePath(0), '000');
    assert.equal(tilePath(999, 7), '999.p/7');
    assert.equal(tilePath(1000), 'x001/000');
    assert.deepEqual(tileFrom('x001/x234/067'), { index: 1234067, width: 256 });
    assert.deepEqual(tileFrom('x001/x234/067.p/89'), { index: 1234067, width: 89 });
    for (const path of [
      '67',
      '0067',
      'x000/067',
      '001/067',
      '067.p/0',
      '067.p/256',
      '067.p/01',
      '067/',
      '',
    ])
      assert.equal(tileFrom(path), undefined, path);
  });

  test('a tree of 70,000 has the tiles that the specification counts', () => {
    const tree = growingTree(sha256);
    const { kept, take } = keeping();
    for (let number = 0; number < 70_000; number += 1) tree.append(leaf(number));
    take(tree.changed());
    const widths = (level: number): readonly number[] =>
      [...kept.values()]
        .filter((tile) => tile.level === level)
        .map(({ hashes }) => widthOf(hashes));
    assert.deepEqual(widths(0).filter((width) => width === 256).length, 273);
    assert.deepEqual(
      widths(0).filter((width) => width < 256),
      [112],
    );
    assert.deepEqual(widths(1), [256, 17]);
    assert.deepEqual(widths(2), [1]);
    assert.equal(widthAt({ level: 0, index: 273 }, 70_000), 112);
    assert.equal(widthAt({ level: 1, index: 1 }, 70_000), 17);
    assert.equal(widthAt({ level: 2, index: 0 }, 70_000), 1);
    assert.equal(widthAt({ level: 2, index: 1 }, 70_000), 0);
  });

  test('a tree of 256 has a full tile and the root of it in the one above', () => {
    const tree = growingTree(sha256);
    for (let number = 0; number < 256; number += 1) tree.append(leaf(number));
    const [leaves, above, ...more] = tree.changed();
    assert.equal(widthOf(leaves?.hashes ?? new Uint8Array()), 256);
    assert.deepEqual(more, []);
    assert.equal(hex(above?.hashes ?? new Uint8Array()), hex(tree.root()));
  });

  test('the root is that of the leaves at every size, also of a tree that is gone on with from its edge', async () => {
    const { kept, take, store } = keeping();
    const all: Uint8Array[] = [];
    let tree = growingTree(sha256);
    for (let number = 0; number < 1_200; number += 1) {
      all.push(leaf(number));
      tree.append(leaf(number));
      const wanted = [1, 255, 256, 257, 511, 512, 513, 1_000, 1_024, 1_200].includes(number + 1);
      if (!wanted && (number * 7919) % 37 !== 0) continue;
      assert.equal(hex(tree.root()), hex(rootOf(sha256, all)), `${number + 1} leaves`);
      take(tree.changed());
      assert.equal(hex(await proofsFrom(store).root(number + 1)), hex(tree.root()));
      const edge = [0, 1, 2].flatMap((level) => {
        const ofLevel = [...kept.values()].filter((tile) => tile.level === level);
        return ofLevel.sort((one, other) => other.index - one.index).slice(0, 1);
      });
      tree = growingTree(sha256, edge);
      assert.equal(tree.size, number + 1);
      assert.equal(hex(tree.root()), hex(rootOf(sha256, all)), `${number + 1} leaves, again`);
    }
    for (const size of [1, 256, 300, 777]) {
      assert.equal(
        hex(await proofsFrom(store).root(size)),
        hex(rootOf(sha256, all.slice(0, size))),
      );
    }
    for (const [at, hash] of hashesOf(kept.get('0/2')?.hashes ?? new Uint8Array()).entries())
      assert.equal(hex(hash), hex(leaf(512 + at)));
  });
});
