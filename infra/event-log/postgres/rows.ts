import type { RecordedEvent } from '../../../domain/event-log.ts';

export type Upcast = (event: RecordedEvent) => RecordedEvent;

const columns =
  'position, stream_id, revision, id, type, schema_version, recorded_at, data, metadata';

/** Of a stream, above a revision: at most so many, of about so many bytes. */
export const streamQuery = `select ${columns} from next_of_stream($1, $2, $3, $4)`;

/** Of the whole log, above a position: likewise. */
export const allQuery = `select ${columns} from next_of_all($1, $2, $3)`;

/** How much was read, as the log counts it. */
export const bytesOf = (rows: readonly Row[]): number =>
  rows.reduce(
    (sum, [, , , , , , , data, metadata]) =>
      sum + Buffer.byteLength(data) + Buffer.byteLength(metadata),
    0,
  );

/**
 * Every question to the log is for an index, in its order. Plans are kept as long as their connection, and one that was
 * made while the log was small must not go on scanning it.
 */
export const planSettings = {
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
};

/** As the wire has them: parsing by ourselves measured nearly twice as fast as by the driver. */
export type Row = readonly [
  position: string,
  streamId: string,
  revision: string,
  id: string,
  type: string,
  schemaVersion: string,
  recordedAt: string,
  data: string,
  metadata: string,
];

export const asText = { getTypeParser: () => (text: string) => text };

export function recordedEvent(row: Row): RecordedEvent {
  const [position, streamId, revision, id, type, schemaVersion, recordedAt, data, metadata] = row;
  return {
    id,
    type,
    schemaVersion: Number(schemaVersion),
    streamId,
    revision: Number(revision),
    position: BigInt(position),
    recordedAt: new Date(recordedAt),
    data: JSON.parse(data),
    metadata: JSON.parse(metadata),
  };
}
