import type { Tile } from '../../domain/audit/tiles.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { TreeHead } from '../audit/checkpoint.ts';
import { eventsBetween } from '../audit/live-events.ts';
import { leafOf } from '../audit/sha256.ts';
import { eventLine } from './events.ts';
import { fileLimits, keepLines } from './lines.ts';
import { imageOfStream } from './live-objects.ts';
import type { Manifest, Segment } from './manifest.ts';
import { signedTree } from './signed-tree.ts';

/** The log up to a position, as far as it is in the backup. */
export interface LogCut {
  readonly events: number;
  readonly position: bigint;
  /** Of the event before that one. */
  readonly previous: bigint;
  readonly root: Uint8Array;
  readonly edge: readonly Tile[];
  readonly segments: readonly Segment[];
}

export interface KeepLogOptions {
  readonly from: LogCut;
  readonly upTo: bigint;
  readonly signed: readonly TreeHead[];
  readonly signal: AbortSignal;
  readonly onEvent: (event: RecordedEvent, done: number) => void;
}

/**
 * Adds what the log has up to a position, in files of their own, and tells whose images the events are. Throws
 * `NotAsSigned` where the log is not what was signed of it.
 */
export async function keepLog(
  log: Pick<EventLog, 'readAll'>,
  directory: string,
  { from, upTo, signed, signal, onEvent }: KeepLogOptions,
): Promise<LogCut & { readonly images: readonly string[] }> {
  const tree = signedTree(signed, from.edge, from.position);
  const segments = [...from.segments];
  const images = new Set<string>();
  let { position, previous } = from;
  let [lines, characters, first]: [string[], number, bigint] = [[], 0, position];

  const close = async (): Promise<void> => {
    const index = tree.size - lines.length;
    const name = `log/${String(index).padStart(12, '0')}.ndjson.gz`;
    const kept = await keepLines(directory, name, lines);
    const [firstPosition, lastPosition] = [String(first), String(position)];
    segments.push({ ...kept, events: lines.length, index, firstPosition, lastPosition });
    [lines, characters] = [[], 0];
  };

  for await (const event of eventsBetween(log, position, upTo)) {
    signal.throwIfAborted();
    if (lines.length === 0) first = event.position;
    tree.add(event);
    const image = imageOfStream(event.streamId);
    if (image !== undefined) images.add(image);
    const line = eventLine(event);
    lines.push(line);
    characters += line.length;
    [previous, position] = [position, event.position];
    onEvent(event, tree.size - from.events);
    if (lines.length === fileLimits.lines || characters >= fileLimits.characters) await close();
  }
  if (lines.length > 0) await close();
  return {
    ...{ events: tree.size, position, previous, root: tree.root(), edge: tree.edge(), segments },
    images: [...images],
  };
}

/** Refuses to add the events of one log to a backup of another, or of a log that was another then. */
export async function requireSameLog(
  log: Pick<EventLog, 'readAll'>,
  before: Manifest | undefined,
  directory: string,
  lowest: bigint,
): Promise<void> {
  if (before === undefined || before.log.events === 0) return;
  const [first] = await log.readAll(lowest, 1);
  const position = BigInt(before.log.position);
  const [last] = await log.readAll(BigInt(before.log.previous), 1);
  const edge = before.log.edge.find(({ level }) => level === 0)?.hashes ?? '';
  const leaf = Buffer.from(edge, 'base64').subarray(-32);
  const isSame =
    first?.id === before.log.first &&
    last?.position === position &&
    Buffer.from(leafOf(last)).equals(leaf);
  if (!isSame)
    throw new Error(
      `${directory}: is the backup of another log, or of what this one was at position ${position}; name another directory`,
    );
}
