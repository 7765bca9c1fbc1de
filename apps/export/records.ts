import { type DownloadEvent, isDownloadStream } from '../../domain/download-record/events.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ExportRecord } from '../../domain/export/record.ts';
import type { RequestRefused } from '../../domain/request-refused.ts';
import type { People } from '../../infra/personal/people.ts';
import type { Person } from '../../infra/personal/records.ts';
import type { ChangeRecord } from '../../projections/history/change.ts';
import { historyKindOf, objectOf } from '../../projections/history/fold.ts';
import type { History } from '../../projections/history/history.ts';
import { changeDocument, type HistoryReader } from '../gateway/history/documents.ts';

export interface RecordPorts {
  readonly history: History;
  readonly people: People;
}

const auditor: HistoryReader = { projectId: null, seesAll: true, isReadable: () => true };
const pageLimit = 1_000;

/**
 * Events of the log as they are exported, in its order: the log says which there are, history whose they were and what
 * they changed. Of events that history does not tell, they say themselves what they can. History has taken all of them in.
 */
export async function recordsOf(
  events: readonly RecordedEvent[],
  { history, people }: RecordPorts,
  { personal }: { readonly personal: boolean },
): Promise<readonly ExportRecord[]> {
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) return [];
  const changes = await changesIn(history, first.position - 1n, last.position);
  const hashes = personal ? events.flatMap(({ metadata }) => metadata.personal ?? []) : [];
  const persons = await people.behind(hashes);
  return events.map((event) => recordOf(event, changes.get(event.position), persons));
}

async function changesIn(
  history: History,
  after: bigint,
  upTo: bigint,
): Promise<ReadonlyMap<bigint, ChangeRecord>> {
  const found = new Map<bigint, ChangeRecord>();
  for (let next = after; next < upTo; ) {
    const page = await history.page({
      ...{ viewer: auditor, filter: {}, limit: pageLimit },
      ...{ after: next, upTo },
    });
    for (const change of page.changes) found.set(change.position, change);
    next = page.next;
  }
  return found;
}

function recordOf(
  event: RecordedEvent,
  told: ChangeRecord | undefined,
  persons: ReadonlyMap<string, Person>,
): ExportRecord {
  const change = told ?? untold(event);
  const document = changeDocument(change, auditor, persons);
  const { metadata, position, id, type, recordedAt } = event;
  return {
    ...{ position, id, type, metadata, document },
    time: recordedAt,
    object: document.object as ExportRecord['object'],
    projectId: change.projectId,
    refused: document.outcome === 'refused',
    person: persons.get(metadata.personal ?? '') ?? null,
  };
}

/** What history has no row of: a stream that it does not tell of, or an event that it could not store. */
function untold({
  id,
  streamId,
  type,
  position,
  revision,
  recordedAt,
  metadata,
  data,
}: RecordedEvent): ChangeRecord {
  const kind = historyKindOf(streamId) ?? streamId.slice(0, streamId.indexOf('-'));
  const download = isDownloadStream(streamId)
    ? (data as unknown as DownloadEvent['data'])
    : undefined;
  return {
    ...{ type, position, revision, recordedAt, metadata, data },
    eventId: id,
    // Kinds are a closed set for who asks history; here the stream's own word does.
    kind: kind as ChangeRecord['kind'],
    object: download?.imageId ?? aboutWhat(kind, streamId, data),
    projectId: download === undefined ? projectOf(metadata) : download.owner,
    formerProjectId: null,
    inside: true,
    differences: [],
  };
}

/** Streams of refusals and of erasures are of no one thing: what it is their events say. */
function aboutWhat(kind: string, streamId: string, data: RecordedEvent['data']): string | null {
  if (kind === 'refusals') return (data as RequestRefused['data']).target;
  if (kind === 'erasure' && typeof data.userId === 'string') return data.userId;
  return objectOf(streamId);
}

const projectOf = ({ actor }: RecordedEvent['metadata']): string | null =>
  actor.kind === 'user' ? actor.projectId : null;
