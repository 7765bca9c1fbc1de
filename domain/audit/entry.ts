import type { RecordedEvent } from '../event-log.ts';
import type { JsonObject } from '../json.ts';
import { canonicalJson } from './canonical-json.ts';
import type { Sha256 } from './merkle.ts';

/** An entry's length is told in two bytes (C2SP tlog-tiles, "Log entries"). */
const mostBytes = 65_535;
/** A UTF-16 code unit takes three bytes of UTF-8 at most. */
const surelyFits = Math.floor(mostBytes / 3);

const encoder = new TextEncoder();
const bytesOf = (text: string): number =>
  text.length <= surelyFits ? text.length : encoder.encode(text).length;

/**
 * The canonical bytes of an event, which are an entry of the tree: canonical JSON of
 *
 *     {data, id, metadata, position, recordedAt, revision, schemaVersion, streamId, type}
 *
 * with `position` as a decimal text and `recordedAt` in ISO 8601 with milliseconds, in UTC. It must be the event as it is
 * stored: one that was lifted to a newer shape has other bytes. Where that takes more than 65,535 bytes, `dataSha256`
 * stands for `data`, and where it still does, `metadataSha256` for `metadata`: hex of the SHA-256 of their canonical JSON.
 */
export function entryOf(event: RecordedEvent, sha256: Sha256): string {
  const [data, metadata] = [event.data, event.metadata as unknown as JsonObject];
  const [writtenData, writtenMetadata] = [canonicalJson(data), canonicalJson(metadata)];
  const whole = entry(event, `"data":${writtenData}`, `"metadata":${writtenMetadata}`);
  if (bytesOf(whole) <= mostBytes) return whole;
  const digest = (json: string): string => hexOf(sha256(encoder.encode(json)));
  const dataDigest = `"dataSha256":"${digest(writtenData)}"`;
  const withoutData = entry(event, dataDigest, `"metadata":${writtenMetadata}`);
  if (bytesOf(withoutData) <= mostBytes) return withoutData;
  return entry(event, dataDigest, `"metadataSha256":"${digest(writtenMetadata)}"`);
}

/** The members in their order, which is that of their names. */
function entry(event: RecordedEvent, data: string, metadata: string): string {
  const { id, type, schemaVersion, streamId, revision, position, recordedAt } = event;
  return `{${data},"id":${canonicalJson(id)},${metadata},"position":"${position}","recordedAt":"${recordedAt.toISOString()}","revision":${revision},"schemaVersion":${schemaVersion},"streamId":${canonicalJson(streamId)},"type":${canonicalJson(type)}}`;
}

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
