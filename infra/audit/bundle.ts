import { setImmediate as turn } from 'node:timers/promises';
import { hashBytes } from '../../domain/audit/merkle.ts';
import { tileWidth } from '../../domain/audit/tiles.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { eventsBetween } from './live-events.ts';
import type { AuditMemory, SignedHead } from './memory.ts';
import { type Proofs, TreeIncomplete } from './proofs.ts';
import { entryText } from './sha256.ts';
import type { TreeStore } from './tree-store.ts';

/** What bundles are made of; their format is told in `verifier.ts`. */
export interface BundlePorts {
  /** As it is stored: no event may be lifted to a newer shape. */
  readonly log: Pick<EventLog, 'readAll' | 'readStream'>;
  readonly store: Pick<TreeStore, 'leafTile' | 'indexesOf'>;
  readonly proofs: Proofs;
  readonly memory: Pick<AuditMemory, 'keys'>;
  /** Below any position that an event could be given, also one that nobody reads. */
  readonly lowest?: bigint;
}

/** Leaves of the tree from `from` up to, without, `to`. */
export interface LogScope {
  readonly from: number;
  readonly to: number;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

async function header(
  { proofs, memory }: BundlePorts,
  head: SignedHead,
  scope: Readonly<Record<string, unknown>>,
  earlier: readonly number[],
): Promise<string> {
  const known = await memory.keys();
  const handOvers = known.flatMap(({ handOver }) => (handOver === null ? [] : [handOver]));
  const grown = [];
  for (const size of earlier)
    grown.push({ size, proof: (await proofs.consistency(size, head.size)).map(base64) });
  return JSON.stringify({
    format: 'daguerre-audit-bundle/1',
    ...scope,
    checkpoint: head.note,
    handOvers,
    earlier: grown,
  });
}

const ending = (lines: number): string => JSON.stringify({ end: true, lines });

/**
 * A part of the log, or all of it, with the tree that was signed of it. What the log has now is put beside what the tree
 * has, whether they agree or not. `pause` is called between tiles, for who must not take all of a processor.
 */
export async function* logBundle(
  ports: BundlePorts,
  head: SignedHead,
  {
    from = 0,
    to = head.size,
    earlier = [],
    pause = turn,
  }: Partial<LogScope> & {
    readonly earlier?: readonly number[];
    readonly pause?: () => Promise<unknown>;
  } = {},
): AsyncGenerator<string> {
  const { log, store, proofs, lowest = 0n } = ports;
  yield await header(ports, head, { scope: 'log', from, to }, earlier);
  let lines = 1;
  const positionOf = async (index: number): Promise<bigint> => {
    const tile = await store.leafTile(Math.floor(index / tileWidth));
    const position = tile?.positions[index % tileWidth];
    if (position === undefined) throw new TreeIncomplete();
    return position;
  };
  const after = from === 0 ? lowest : await positionOf(from - 1);
  const events = eventsBetween(log, after, to === 0 ? after : await positionOf(to - 1));
  let next = await events.next();
  for (let index = Math.floor(from / tileWidth); index * tileWidth < to; index += 1) {
    const tile = await store.leafTile(index);
    const width = Math.min(tileWidth, head.size - index * tileWidth);
    if (tile === undefined || tile.positions.length < width) throw new TreeIncomplete();
    const leaves = base64(tile.hashes.subarray(0, width * hashBytes));
    const proof = (await proofs.tileInclusion(index, head.size)).map(base64);
    yield JSON.stringify({ tile: index, leaves, proof });
    lines += 1;
    const last = tile.positions[width - 1] ?? 0n;
    for (; !next.done && next.value.position <= last; next = await events.next()) {
      yield JSON.stringify({ entry: entryText(next.value) });
      lines += 1;
    }
    await pause();
  }
  yield ending(lines + 1);
}

/** The whole history of an image as far as it is signed, each event with its proof; of those that are withheld the hash alone. */
export async function* imageBundle(
  ports: BundlePorts,
  head: SignedHead,
  imageId: string,
  {
    isWithheld = () => false,
    earlier = [],
  }: {
    readonly isWithheld?: (event: RecordedEvent) => boolean;
    readonly earlier?: readonly number[];
  } = {},
): AsyncGenerator<string> {
  const { log, store, proofs } = ports;
  yield await header(ports, head, { scope: 'image', image: imageId }, earlier);
  const { events } = await log.readStream(`image-${imageId}`);
  const signed = events.filter(({ position }) => position <= head.position);
  const indexes = await store.indexesOf(signed.map(({ position }) => position));
  const proven = await proofs.inclusions(
    indexes.filter((index) => index !== undefined),
    head.size,
  );
  const proofOf = proven.values();
  const tiles = new Map<number, Uint8Array>();
  for (const [number, event] of signed.entries()) {
    const index = indexes[number];
    if (index === undefined) {
      yield JSON.stringify({ index: null, entry: entryText(event) });
      continue;
    }
    const proof = (proofOf.next().value ?? []).map(base64);
    if (!isWithheld(event)) {
      yield JSON.stringify({ index, entry: entryText(event), proof });
      continue;
    }
    const tile = Math.floor(index / tileWidth);
    const hashes = tiles.get(tile) ?? (await store.leafTile(tile))?.hashes;
    if (hashes === undefined) throw new TreeIncomplete();
    tiles.set(tile, hashes);
    const at = (index % tileWidth) * hashBytes;
    yield JSON.stringify({ index, leaf: base64(hashes.subarray(at, at + hashBytes)), proof });
  }
  yield ending(signed.length + 2);
}
