import {
  consistencyProof,
  inclusionProof,
  joined,
  type LeafRange,
  nodesOf,
  rootOf,
  type TreeNode,
} from '../../domain/audit/merkle.ts';
import { hashesOf, placeOf, tileWidth, widthOf } from '../../domain/audit/tiles.ts';
import { sha256 } from './sha256.ts';
import type { TreeStore } from './tree-store.ts';

/** A tile that the tree of this size must have is not there: the tree is being made again. */
export class TreeIncomplete extends Error {
  constructor() {
    super('the audit tree is being made again from the log');
    this.name = 'TreeIncomplete';
  }
}

/** What is read off the stored tiles, at any size that the tree has had. */
export interface Proofs {
  root(size: number): Promise<Uint8Array>;
  inclusion(index: number, size: number): Promise<readonly Uint8Array[]>;
  /** The same of several, each tile read once. */
  inclusions(indexes: readonly number[], size: number): Promise<readonly (readonly Uint8Array[])[]>;
  /** That a whole tile of leaves, the `index`th, is in the tree: its root as a leaf of the tree above. */
  tileInclusion(index: number, size: number): Promise<readonly Uint8Array[]>;
  consistency(first: number, second: number): Promise<readonly Uint8Array[]>;
}

export function proofsFrom(store: Pick<TreeStore, 'tiles'>): Proofs {
  const hashesOfRanges = async (ranges: readonly LeafRange[]): Promise<readonly Uint8Array[]> => {
    const nodes = ranges.map(nodesOf);
    const hash = await nodeHashes(store, nodes.flat());
    return nodes.map((parts) => joined(sha256, parts.map(hash)));
  };
  return {
    async root(size) {
      const [root] = await hashesOfRanges([{ begin: 0, end: size }]);
      return root ?? sha256(new Uint8Array());
    },
    inclusion: (index, size) => hashesOfRanges(inclusionProof(index, size)),
    async inclusions(indexes, size) {
      const proofs = indexes.map((index) => inclusionProof(index, size));
      const hashes = (await hashesOfRanges(proofs.flat())).values();
      return proofs.map((ranges) => ranges.map(() => hashes.next().value ?? new Uint8Array()));
    },
    tileInclusion: (index, size) =>
      hashesOfRanges(
        inclusionProof(index, Math.ceil(size / tileWidth)).map(({ begin, end }) => ({
          begin: begin * tileWidth,
          end: Math.min(end * tileWidth, size),
        })),
      ),
    consistency: (first, second) => hashesOfRanges(consistencyProof(first, second)),
  };
}

/** Reads every tile that is needed, each once. */
async function nodeHashes(
  store: Pick<TreeStore, 'tiles'>,
  nodes: readonly TreeNode[],
): Promise<(node: TreeNode) => Uint8Array> {
  const keyOf = ({ level, index }: TreeNode) => `${level}/${index}`;
  const names = new Map(nodes.map(placeOf).map((place) => [keyOf(place), place]));
  const tiles = names.size === 0 ? [] : await store.tiles([...names.values()]);
  const found = new Map(tiles.map((tile) => [keyOf(tile), tile.hashes]));
  return (node) => {
    const place = placeOf(node);
    const hashes = found.get(keyOf(place));
    if (hashes === undefined || widthOf(hashes) < place.from + place.count)
      throw new TreeIncomplete();
    return rootOf(sha256, hashesOf(hashes, place.from, place.count));
  };
}
