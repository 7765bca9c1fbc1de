import { growingTree, type Tile } from '../../domain/audit/tiles.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { TreeHead } from '../audit/checkpoint.ts';
import { leafOf, sha256 } from '../audit/sha256.ts';

/** The events are not those that were signed; the message says between which two. */
export class NotAsSigned extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotAsSigned';
  }
}

/** The Merkle tree over events that go by, held to every head that was signed of it. */
export interface SignedTree {
  readonly size: number;
  root(): Uint8Array;
  /** The last tile of each level. */
  edge(): readonly Tile[];
  /** Throws `NotAsSigned` at the first signed size at which the tree is another one. */
  add(event: RecordedEvent): void;
}

/** How many leaves may go by before what only the edge needs is thrown away. */
const fewLeaves = 4_096;

/** Goes on from an edge. `signed` in any order; those that are not above the edge's size do not count. */
export function signedTree(
  signed: readonly TreeHead[],
  from: readonly Tile[] = [],
  position = 0n,
): SignedTree {
  const tree = growingTree(sha256, from);
  const edge = new Map(from.map((tile) => [tile.level, tile]));
  const due = signed
    .filter(({ size }) => size > tree.size)
    .sort((one, other) => one.size - other.size);
  let agreed = { size: tree.size, position };
  const settle = (): void => {
    for (const tile of tree.changed()) edge.set(tile.level, tile);
  };
  return {
    get size() {
      return tree.size;
    },
    root: () => tree.root(),
    edge() {
      settle();
      return [...edge.values()].sort((one, other) => one.level - other.level);
    },
    add(event) {
      tree.append(leafOf(event));
      if (tree.size % fewLeaves === 0) settle();
      while (due[0]?.size === tree.size) {
        if (!Buffer.from(tree.root()).equals(due.shift()?.root ?? new Uint8Array()))
          throw new NotAsSigned(
            `an event of index ${agreed.size} to ${tree.size - 1}, above position ${agreed.position} and up to ${event.position}, is not what was signed`,
          );
        agreed = { size: tree.size, position: event.position };
      }
    },
  };
}
