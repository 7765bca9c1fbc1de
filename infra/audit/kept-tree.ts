import { leafHash } from '../../domain/audit/merkle.ts';
import { type GrowingTree, growingTree, hashesOf, tileWidth } from '../../domain/audit/tiles.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { TreeHead } from './checkpoint.ts';
import { eventsBetween } from './live-events.ts';
import { proofsFrom } from './proofs.ts';
import { leafOf, sha256 } from './sha256.ts';
import type { StoredTree, TreeStore } from './tree-store.ts';

/** The log is not what was signed; the message says where, as closely as it can be said. */
export class LogDiffers extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LogDiffers';
  }
}

/** Another process has written the tree meanwhile. */
export class TreeFenced extends Error {
  constructor() {
    super('another process writes the audit tree');
    this.name = 'TreeFenced';
  }
}

/** The tree as its one writer has it. */
export interface KeptTree {
  readonly size: number;
  readonly position: bigint;
  root(): Uint8Array;
  /**
   * Adds what the log has next, and stores it. Rejects with `LogDiffers` where the tree is not the one that was signed at
   * its size, with `TreeFenced` where somebody else wrote.
   */
  add(events: readonly RecordedEvent[]): Promise<void>;
  /** Throws `LogDiffers` where more was signed than the log has; for who has added all of it. */
  requireWhole(): void;
}

export interface TreePorts {
  readonly log: Pick<EventLog, 'readAll'>;
  readonly store: TreeStore;
  /** Every head that is remembered to have been signed, the smallest first. */
  readonly signed: readonly TreeHead[];
  /** What is stored is not what was signed, and is made again. */
  readonly onDropped: () => void;
  /** The log has changed behind the tree's back; the tree is right, and is gone on with. */
  readonly onDiffers: (error: LogDiffers) => Promise<void>;
}

/** Goes on with the stored tree if it is the one that was signed; else begins again at the first event. */
export async function openTree(ports: TreePorts): Promise<KeptTree> {
  const { store, signed, onDropped } = ports;
  const stored = await store.load();
  if (stored !== undefined && (await isAsSigned(stored, ports))) {
    const differing = await differingTail(stored, ports);
    if (differing !== undefined) await ports.onDiffers(differing);
    return kept(stored, store, signed);
  }
  onDropped();
  await store.drop();
  return kept({ size: 0, position: 0n, edge: [], positions: [] }, store, signed);
}

async function isAsSigned({ size }: StoredTree, { store, signed }: TreePorts): Promise<boolean> {
  const last = signed.findLast((head) => head.size <= size);
  if (last === undefined) return true;
  const root = await proofsFrom(store)
    .root(last.size)
    .catch(() => undefined);
  return root !== undefined && Buffer.from(root).equals(last.root);
}

/** Looks at the last tile again: who cuts off the end of a log, or changes it at once, is found out at the next start. */
async function differingTail(
  { size, position, edge, positions }: StoredTree,
  { log, store }: TreePorts,
): Promise<LogDiffers | undefined> {
  const [last] = edge;
  if (last === undefined) return undefined;
  const before = last.index === 0 ? undefined : await store.leafTile(last.index - 1);
  const leaves = hashesOf(last.hashes);
  const first = last.index * tileWidth;
  let at = 0;
  for await (const event of eventsBetween(log, before?.positions.at(-1) ?? 0n, position)) {
    const leaf = leaves[at];
    if (leaf === undefined || !Buffer.from(leafOf(event)).equals(leaf))
      return new LogDiffers(
        `the event of index ${first + at}, at position ${positions[at] ?? event.position}, is not what the audit tree has`,
      );
    at += 1;
  }
  if (at === leaves.length) return undefined;
  return new LogDiffers(
    `the log ends before index ${first + at}, position ${positions[at]}: the audit tree has ${size} events`,
  );
}

function kept(stored: StoredTree, store: TreeStore, signed: readonly TreeHead[]): KeptTree {
  const tree: GrowingTree = growingTree(sha256, stored.edge);
  let positions = stored.positions.length === tileWidth ? [] : [...stored.positions];
  let { position } = stored;
  let agreed = signed.findLast(({ size }) => size <= tree.size)?.size ?? 0;
  const due = signed.filter(({ size }) => size > tree.size);

  const append = (event: RecordedEvent, leaves: Map<number, readonly bigint[]>): void => {
    positions.push(event.position);
    leaves.set(Math.floor(tree.size / tileWidth), positions);
    tree.append(leafOf(event));
    if (positions.length === tileWidth) positions = [];
    ({ position } = event);
  };

  const compare = (): void => {
    if (due[0]?.size !== tree.size) return;
    const root = Buffer.from(tree.root());
    const later = due.findIndex(({ size }) => size > tree.size);
    for (const head of due.splice(0, later < 0 ? due.length : later))
      if (!root.equals(head.root))
        throw new LogDiffers(
          `the log is not what was signed: an event of index ${agreed} to ${head.size - 1} differs`,
        );
    agreed = tree.size;
  };

  return {
    get size() {
      return tree.size;
    },
    get position() {
      return position;
    },
    root: tree.root,
    async add(events) {
      const before = tree.size;
      const leaves = new Map<number, readonly bigint[]>();
      for (const event of events) {
        append(event, leaves);
        compare();
      }
      const reach = { size: tree.size, position };
      if (!(await store.save(before, reach, tree.changed(), leaves))) throw new TreeFenced();
    },
    requireWhole() {
      const last = due.at(-1);
      if (last === undefined) return;
      throw new LogDiffers(
        `the log has ${tree.size} events, ${last.size} were signed: those from index ${tree.size} on are missing`,
      );
    },
  };
}

/** Hash of an entry as it is served. */
export const entryHash = (entry: Uint8Array): Uint8Array => leafHash(sha256, entry);
