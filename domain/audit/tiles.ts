import { hashBytes, rootOf, type Sha256, type TreeNode } from './merkle.ts';

/** Hashes of a full tile: it spans eight levels of the tree (C2SP tlog-tiles, "Merkle Tree"). */
export const tileWidth = 256;
const tileHeight = 8;

/** The `index`th tile of a level; its hashes are roots of subtrees of 256^level leaves. */
export interface TileName {
  readonly level: number;
  readonly index: number;
}

export interface Tile extends TileName {
  /** At most 256, one after the other. */
  readonly hashes: Uint8Array;
}

export const widthOf = (hashes: Uint8Array): number => hashes.length / hashBytes;

/** How many hashes this tile has in a tree of a size; 0 where it has none. */
export function widthAt({ level, index }: TileName, size: number): number {
  const subtrees = Math.floor(size / tileWidth ** level);
  return Math.min(Math.max(subtrees - index * tileWidth, 0), tileWidth);
}

/** Where the hash of a node is found: put together of `count` hashes of a tile, beginning with the one numbered `from`. */
export function placeOf({ level, index }: TreeNode): TileName & {
  readonly from: number;
  readonly count: number;
} {
  const tileLevel = Math.floor(level / tileHeight);
  const count = 2 ** (level % tileHeight);
  const first = index * count;
  const tile = Math.floor(first / tileWidth);
  return { level: tileLevel, index: tile, from: first - tile * tileWidth, count };
}

export const hashesOf = (hashes: Uint8Array, from = 0, count = widthOf(hashes) - from) =>
  Array.from({ length: count }, (_, number) =>
    hashes.subarray((from + number) * hashBytes, (from + number + 1) * hashBytes),
  );

/** `x001/x234/067` for 1234067, and `.p/WIDTH` behind it for a tile that is not full. */
export function tilePath(index: number, width = tileWidth): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/\d{3}/g) ?? [];
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return width === tileWidth ? path : `${path}.p/${width}`;
}

/** What a path names; undefined when `tilePath` writes it otherwise. */
export function tileFrom(
  path: string,
): { readonly index: number; readonly width: number } | undefined {
  const [, groups = '', partial] = /^((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path) ?? [];
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  const width = partial === undefined ? tileWidth : Number(partial);
  if (width < 1 || !Number.isSafeInteger(index)) return undefined;
  if (partial !== undefined && width >= tileWidth) return undefined;
  return tilePath(index, width) === path ? { index, width } : undefined;
}

export interface GrowingTree {
  readonly size: number;
  append(leaf: Uint8Array): void;
  root(): Uint8Array;
  /** Tiles that differ from what was given before, whole as they are now. */
  changed(): readonly Tile[];
}

interface Edge {
  index: number;
  width: number;
  readonly hashes: Uint8Array;
  isChanged: boolean;
}

/**
 * A tree that leaves are added to. It knows no more of what it grew out of than the last tile of each level, from the
 * leaves up: `edge`, of which tiles that are full may be left out.
 */
export function growingTree(sha256: Sha256, edge: readonly Tile[] = []): GrowingTree {
  const levels: Edge[] = [];
  let full: Tile[] = [];
  let size = 0;

  const edgeAt = (level: number): Edge => {
    const found = levels[level];
    if (found !== undefined) return found;
    const made = {
      index: 0,
      width: 0,
      hashes: new Uint8Array(tileWidth * hashBytes),
      isChanged: false,
    };
    levels[level] = made;
    return made;
  };

  for (const { level, index, hashes } of edge) {
    const one = edgeAt(level);
    const isFull = widthOf(hashes) === tileWidth;
    one.index = isFull ? index + 1 : index;
    one.width = isFull ? 0 : widthOf(hashes);
    if (!isFull) one.hashes.set(hashes);
    if (level === 0) size = one.index * tileWidth + one.width;
  }

  const add = (level: number, hash: Uint8Array): void => {
    const one = edgeAt(level);
    one.hashes.set(hash, one.width * hashBytes);
    one.width += 1;
    one.isChanged = true;
    if (one.width < tileWidth) return;
    const hashes = one.hashes.slice();
    full.push({ level, index: one.index, hashes });
    one.index += 1;
    one.width = 0;
    one.isChanged = false;
    add(level + 1, rootOf(sha256, hashesOf(hashes)));
  };

  const partOf = ({ hashes, width }: Edge): Uint8Array => hashes.slice(0, width * hashBytes);

  return {
    get size() {
      return size;
    },
    append(leaf) {
      add(0, leaf);
      size += 1;
    },
    root() {
      let right: readonly Uint8Array[] = [];
      for (const one of levels) {
        const hashes = [...hashesOf(partOf(one)), ...right];
        right = hashes.length === 0 ? [] : [rootOf(sha256, hashes)];
      }
      return rootOf(sha256, right);
    },
    changed() {
      const tiles = [...full];
      full = [];
      for (const [level, one] of levels.entries()) {
        if (!one.isChanged) continue;
        one.isChanged = false;
        tiles.push({ level, index: one.index, hashes: partOf(one) });
      }
      return tiles;
    },
  };
}
