import type { JsonObject } from '../../../domain/json.ts';
import type { DownloadRecord } from '../../../projections/downloads/downloads.ts';
import type { HistoryViewer } from '../../../projections/history/history.ts';
import { actorDocument, type Persons } from '../history/documents.ts';

/** What of a download without an end was last told so long ago does not go on: one that does is told of each minute. */
const staleMs = 180_000;

/** Whether what was told last is the end: it `ended`, it goes on, or its gateway died and nobody knows. */
export type DownloadState = 'ended' | 'running' | 'unknown';

export function stateOf(
  { ended, lost, toldAt, writer }: DownloadRecord,
  isDead: (writer: string) => boolean,
  now: Date,
): DownloadState {
  if (ended) return 'ended';
  const isStale = now.getTime() - toldAt.getTime() > staleMs;
  return lost || isStale || isDead(writer) ? 'unknown' : 'running';
}

/** As history tells of changes: of whom, by the same rules. */
export function downloadDocument(
  download: DownloadRecord,
  state: DownloadState,
  reader: HistoryViewer,
  persons: Persons,
): JsonObject {
  const { asked, begunAt, hash, imageId, metadata, owner, position, sent, size } = download;
  const { correlationId, globalRequestId, requestId, rule } = metadata;
  return {
    position: String(position),
    id: download.id,
    event_id: download.eventId,
    time: begunAt.toISOString(),
    image_id: imageId,
    project_id: owner,
    actor: actorDocument(download, reader, persons),
    request_id: requestId,
    ...(globalRequestId === undefined ? {} : { global_request_id: globalRequestId }),
    correlation_id: correlationId,
    rule: rule ?? null,
    size,
    os_hash_algo: hash?.algorithm ?? null,
    os_hash_value: hash?.value ?? null,
    asked,
    state,
    last_position: String(download.toldPosition),
    last_time: sent === null ? null : sent.lastAt,
    reads: sent?.reads ?? null,
    bytes: sent?.bytes ?? null,
    extents: sent?.extents ?? null,
    exact: sent?.exact ?? null,
    complete: sent?.complete ?? null,
  };
}
