import { z } from 'zod';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { FileDamaged } from './files.ts';
import { keptLines } from './lines.ts';
import type { Segment } from './manifest.ts';

const object = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null);
const line = z.object({
  position: z.string().transform(BigInt),
  streamId: z.string(),
  revision: z.int(),
  id: z.string(),
  type: z.string(),
  schemaVersion: z.int(),
  recordedAt: z.string().transform((text) => new Date(text)),
  data: object,
  metadata: z.custom<RecordedEvent['metadata']>((value) => typeof value === 'object'),
});

/** An event as it is stored, in one line. */
export const eventLine = (event: RecordedEvent): string => {
  const { position, streamId, revision, id, type, schemaVersion, recordedAt, data, metadata } =
    event;
  return JSON.stringify({
    position: String(position),
    ...{ streamId, revision, id, type, schemaVersion, recordedAt, data, metadata },
  });
};

/** The events of one file. Throws `FileDamaged` where it is not what was written. */
export async function segmentEvents(
  directory: string,
  segment: Segment,
): Promise<readonly RecordedEvent[]> {
  const lines = await keptLines(directory, segment);
  try {
    return lines.map((text) => line.parse(JSON.parse(text)));
  } catch {
    throw new FileDamaged(segment.file, 'holds a line that is no event');
  }
}
