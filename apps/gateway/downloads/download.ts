import { type DownloadEvent, sentExtent } from '../../../domain/download-record/events.ts';
import {
  isWhole,
  mostTold,
  outlined,
  type Reading,
  withRead,
} from '../../../domain/download-record/reading.ts';
import type { Metadata, NewEvent } from '../../../domain/event-log.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { eventId } from '../../../infra/event-id.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import type { ByteRange } from '../range.ts';

export type DownloadedImage = Pick<
  ImageRecord,
  'id' | 'owner' | 'size' | 'hashAlgorithm' | 'hashValue'
>;

/** One reader of one image, while it goes on. */
export interface Download {
  readonly id: string;
  readonly key: string;
  readonly image: DownloadedImage & { readonly size: number };
  readonly metadata: Metadata;
  readonly begunAt: Date;
  /** Resolves once the log has it. */
  begun: Promise<void>;
  isBegun: boolean;
  reading: Reading;
  /** What requests that still run have sent so far. */
  readonly running: Set<{ readonly start: number; end: number }>;
  lastAt: Date;
  /** How often it was tried to tell of it: what may have been told and what comes next are not the same event. */
  tries: number;
  toldAt: Date;
}

export function beginningOf(download: Download, part: ByteRange, writer: string): NewEvent {
  const { id, image } = download;
  const { hashAlgorithm: algorithm, hashValue: value } = image;
  return eventOf(download, 0, {
    type: 'DownloadBegun',
    data: {
      downloadId: id,
      imageId: image.id,
      owner: image.owner,
      size: image.size,
      hash: algorithm === null || value === null ? null : { algorithm, value },
      asked: sentExtent(part),
      writer,
    },
  });
}

/** Everything that was sent so far, requests that still run among it. */
export function newsOf(download: Download, ended: boolean): NewEvent {
  const { begunAt, id, image, lastAt, metadata, running, tries } = download;
  const whole = [...running].reduce((reading, sent) => withRead(reading, sent), download.reading);
  const { reads, bytes, extents, exact } = outlined(whole, mostTold);
  const event = eventOf(download, tries, {
    type: 'ImageDownloaded',
    data: {
      downloadId: id,
      imageId: image.id,
      owner: image.owner,
      reads,
      bytes,
      extents: extents.map(sentExtent),
      exact,
      complete: isWhole(whole, image.size),
      firstAt: begunAt.toISOString(),
      lastAt: lastAt.toISOString(),
      ended,
    },
  });
  return { ...event, metadata: { ...metadata, causationId: eventId(id, 'DownloadBegun', 0) } };
}

const eventOf = (download: Download, index: number, { type, data }: DownloadEvent): NewEvent => ({
  id: eventId(download.id, type, index),
  type,
  schemaVersion: 1,
  data: data as unknown as JsonObject,
  metadata: download.metadata,
});
