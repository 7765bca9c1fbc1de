import { randomUUID } from 'node:crypto';
import { type JSONEventType, jsonEvent } from '@eventstore/db-client';
import type { ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { Metadata, NewEvent, RecordedEvent } from '../../../domain/event-log.ts';
import type { JsonObject } from '../../../domain/json.ts';

/** What the server keeps of an event, as it comes over the wire. */
export type Kept = ReadResp.ReadEvent.RecordedEvent;

/** Beside the data. EventStoreDB's own projections know the two ids by these names. */
interface KeptMetadata {
  readonly $correlationId: string;
  readonly $causationId: string;
  /** Tells our events from others that share the server. */
  readonly daguerre: {
    readonly id: string;
    readonly schemaVersion: number;
    readonly metadata: Metadata;
  };
}

type Proposed = JSONEventType<string, JsonObject, KeptMetadata & Record<string, unknown>>;

/**
 * As the server takes it. Its event id is new at every try, ours lies in the metadata: EventStoreDB answers an append with
 * success when events of the same ids stand there already, whatever their content, and two who race for one revision with
 * the same command must not both win.
 */
export function proposed(streamId: string, event: NewEvent) {
  const { type, schemaVersion, metadata } = event;
  const kept: KeptMetadata = {
    $correlationId: metadata.correlationId,
    $causationId: metadata.causationId,
    daguerre: { id: event.id, schemaVersion, metadata },
  };
  return jsonEvent<Proposed>({
    id: randomUUID(),
    type,
    data: copied<JsonObject>(streamId, event.data),
    metadata: copied<Proposed['metadata']>(streamId, kept),
  });
}

/** What JSON makes of a value now, whatever its owner does to it later. Refuses the text that Postgres refuses. */
function copied<Value>(streamId: string, value: unknown): Value {
  const json = JSON.stringify(value);
  if (!/\\u(0000|d[89a-f][0-9a-f]{2})/.test(json)) return JSON.parse(json);
  return JSON.parse(json, (key, part) => {
    for (const text of [key, part])
      if (typeof text === 'string' && (text.includes('\0') || /\p{Surrogate}/u.test(text)))
        throw new Error(`the log cannot hold an event for ${streamId}: text that Unicode forbids`);
    return part;
  });
}

/** What servers before 22.6 say of events that were read from a stream. */
const noPosition = 2n ** 64n - 1n;

export function positionOf(kept: Kept): bigint {
  const position = BigInt(kept.getCommitPosition());
  if (position === noPosition)
    throw new Error('EventStoreDB 22.6 or later is needed: this one tells no positions');
  return position;
}

export const streamOf = (kept: Kept): string =>
  Buffer.from(kept.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString('utf8');

export const bytesOf = (kept: Kept): number =>
  kept.getData_asU8().length + kept.getCustomMetadata_asU8().length;

/** Undefined for an event that somebody else wrote. */
export function recordedEvent(kept: Kept): RecordedEvent | undefined {
  const own = ownMetadata(kept.getCustomMetadata_asU8());
  if (own === undefined) return undefined;
  const about = kept.getMetadataMap();
  return {
    id: own.id,
    type: about.get('type') ?? '',
    schemaVersion: own.schemaVersion,
    streamId: streamOf(kept),
    revision: Number(kept.getStreamRevision()),
    position: positionOf(kept),
    recordedAt: new Date(Number(BigInt(about.get('created') ?? 0) / ticksPerMs)),
    data: JSON.parse(Buffer.from(kept.getData_asU8()).toString('utf8')),
    metadata: own.metadata,
  };
}

/** The server counts time in steps of 100 nanoseconds since 1970. */
const ticksPerMs = 10_000n;

const mark = Buffer.from('"daguerre"');

/** Whether an event looks like ours, for counting. */
export const isOwn = (kept: Kept): boolean =>
  Buffer.from(kept.getCustomMetadata_asU8()).includes(mark);

function ownMetadata(bytes: Uint8Array): KeptMetadata['daguerre'] | undefined {
  try {
    return (JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<KeptMetadata>).daguerre;
  } catch {
    return undefined;
  }
}
