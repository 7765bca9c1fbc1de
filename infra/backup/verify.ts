import { isDeepStrictEqual } from 'node:util';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { BadKey } from '../audit/keys.ts';
import { NoteRefused } from '../audit/note.ts';
import { besideTables, keptRows } from './beside.ts';
import { headsIn, signedHeadOf, trustedKeys } from './checkpoints.ts';
import { segmentEvents } from './events.ts';
import { FileDamaged, keptFile } from './files.ts';
import { keptTile, type Manifest, type Segment } from './manifest.ts';
import { keptObjects, objectPath, requireObject } from './objects.ts';
import type { BackupProgress } from './progress.ts';
import { NotAsSigned, signedTree } from './signed-tree.ts';
import { straysIn } from './strays.ts';

export interface VerifyOptions {
  /** Public keys that the reader trusts, `NAME+ID+base64`; without any, those that are in the backup. */
  readonly keys?: readonly string[];
  /** Whether the bytes of images are read as well; default true. */
  readonly bytes?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: BackupProgress) => void;
}

export interface Verified {
  /** What is wrong, and where; nothing is where the backup is what was written and signed. */
  readonly findings: readonly string[];
  readonly events: number;
  /** Events that a checkpoint is signed of. */
  readonly signed: number;
  readonly objects: number;
  /** Files that are no part of the backup, as a killed run leaves behind: no damage, since nothing is restored from them. */
  readonly strays: readonly string[];
}

/** Reads every byte of a backup, and holds its events to all that was signed of them. */
export async function verifyBackup(
  directory: string,
  manifest: Manifest,
  { keys = [], bytes = true, signal, onProgress = () => {} }: VerifyOptions,
): Promise<Verified> {
  const findings: string[] = [];
  const sound = async <Value>(step: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await step();
    } catch (error) {
      const isFinding =
        error instanceof FileDamaged ||
        error instanceof NotAsSigned ||
        error instanceof NoteRefused;
      if (!isFinding) throw error;
      findings.push(error.message);
      return undefined;
    }
  };

  for (const { name } of besideTables)
    await sound(async () => {
      let rows = 0;
      for await (const lines of keptRows(directory, manifest, name)) rows += lines.length;
      const expected = manifest.beside[name]?.rows ?? 0;
      if (rows !== expected)
        throw new FileDamaged(`the table ${name}`, `has ${rows} rows, ${expected} were written`);
    });
  const { signingKey } = manifest;
  if (signingKey !== null) await sound(() => keptFile(directory, signingKey));

  await sound(() => verifySignature(directory, manifest, keys));
  await verifyEvents(directory, manifest, { sound, findings, signal, onProgress });

  let objects = 0;
  await sound(async () => {
    for await (const object of keptObjects(directory, manifest)) {
      if (object.missing) continue;
      onProgress({ what: 'objects', done: objects, of: manifest.objects?.count ?? 0 });
      objects += 1;
      if (bytes)
        await sound(() => requireObject(objectPath(directory, object.key), object, signal));
    }
  });
  return {
    ...{ findings, objects },
    strays: await straysIn(directory, manifest),
    events: manifest.log.events,
    signed: manifest.checkpoint?.size ?? 0,
  };
}

/** The newest checkpoint is what says which log it is: its signature has to hold, and its root is one of those compared. */
async function verifySignature(
  directory: string,
  manifest: Manifest,
  keys: readonly string[],
): Promise<void> {
  const { checkpoint } = manifest;
  if (checkpoint === null) return;
  const trusted = await trustedKeys(directory, manifest, keys).catch((error: unknown) => {
    throw error instanceof BadKey ? new NoteRefused(`a key is none: ${error.message}`) : error;
  });
  const head = signedHeadOf(checkpoint.note, trusted);
  const known = (await headsIn(directory, manifest)).find(({ size }) => size === head.size);
  if (head.size !== checkpoint.size || !known || !Buffer.from(known.root).equals(head.root))
    throw new NotAsSigned(
      `the checkpoint of ${checkpoint.size} events is not the one that was remembered`,
    );
}

interface Checking {
  readonly sound: <Value>(step: () => Promise<Value>) => Promise<Value | undefined>;
  readonly findings: string[];
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
}

async function verifyEvents(
  directory: string,
  { segments, log, beside }: Manifest,
  { sound, findings, signal, onProgress }: Checking,
): Promise<void> {
  const signed = (await sound(() => headsIn(directory, { beside }))) ?? [];
  const tree = signedTree(signed);
  let isWhole = true;
  let first: string | null = null;
  let [previous, position]: (bigint | undefined)[] = [];
  let index = 0;
  for (const segment of segments) {
    signal.throwIfAborted();
    if (segment.index !== index)
      findings.push(`${segment.file} begins at index ${segment.index}, not ${index}`);
    index = segment.index + segment.events;
    const events = await sound(() => whereDamaged(segment, segmentEvents(directory, segment)));
    isWhole &&= events !== undefined;
    if (events === undefined || !isWhole) continue;
    const added = await sound(async () => {
      for (const event of events) {
        if (position !== undefined && event.position <= position)
          throw new NotAsSigned(
            `${segment.file}: the event at position ${event.position} comes after that at ${position}`,
          );
        first ??= event.id;
        [previous, position] = [position, event.position];
        tree.add(event);
        onProgress({ what: 'events', done: tree.size, position, upTo: BigInt(log.position) });
      }
      return true;
    });
    isWhole = added === true;
  }
  if (!isWhole) return;
  if (tree.size !== log.events || Buffer.from(tree.root()).toString('base64') !== log.root)
    findings.push(
      `the events are not those that were written: ${tree.size} of ${log.events}, and another tree over them`,
    );
  else if (tree.size > 0) {
    // What the next run goes on from: a bit flipped there would look like a log that was changed.
    const isSame =
      first === log.first &&
      position === BigInt(log.position) &&
      (previous === undefined || previous === BigInt(log.previous)) &&
      isDeepStrictEqual(tree.edge().map(keptTile), log.edge);
    if (!isSame) findings.push('the manifest says otherwise of the log than its events do');
  }
  const newest = signed.at(-1);
  if (newest !== undefined && newest.size > tree.size)
    findings.push(
      `${newest.size} events were signed, the backup has ${tree.size}: some are missing`,
    );
}

/** Says which events a damaged file takes along. */
async function whereDamaged(
  { index, events, firstPosition, lastPosition }: Segment,
  reading: Promise<readonly RecordedEvent[]>,
): Promise<readonly RecordedEvent[]> {
  try {
    const found = await reading;
    if (found.length !== events)
      throw new FileDamaged('the file', `has ${found.length} events, ${events} were written`);
    return found;
  } catch (error) {
    if (!(error instanceof FileDamaged)) throw error;
    throw new FileDamaged(
      error.message,
      `(events of index ${index} to ${index + events - 1}, positions ${firstPosition} to ${lastPosition})`,
    );
  }
}
