import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { type ChangeRecord, changeFrom, changeRow } from '../../projections/history/change.ts';
import { fold, type HistoryEntry, historyKeyOf } from '../../projections/history/fold.ts';
import type {
  History,
  HistoryFilter,
  HistoryViewer,
  PastImages,
} from '../../projections/history/history.ts';
import { memoryImages } from './gateway-images.ts';

type Reads = Pick<EventLog, 'readAll' | 'head'>;

/** The read model of history in memory: folded anew from the log at each question, so that it is never behind. */
export function memoryHistory(log: Reads): History {
  const changes = async (): Promise<readonly ChangeRecord[]> => {
    const entries = new Map<string, HistoryEntry>();
    const all: ChangeRecord[] = [];
    const names = new Map<string, Set<string>>();
    for (const event of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
      const key = historyKeyOf(event);
      if (key === undefined) continue;
      const row = changeRow(entries.get(key) ?? {}, event);
      entries.set(key, fold(entries.get(key) ?? {}, event));
      if (row === undefined) continue;
      all.push(changeFrom(row));
      if (row.name !== null && row.object !== null)
        names.set(row.name, new Set(names.get(row.name)).add(row.object));
    }
    namesOf = names;
    return all;
  };
  let namesOf: ReadonlyMap<string, ReadonlySet<string>> = new Map();

  return {
    async page({ viewer, filter, after, upTo, limit }) {
      const matching = (await changes()).filter(
        (change) =>
          change.position > after &&
          change.position <= upTo &&
          isFor(viewer, change) &&
          isWanted(filter, change, namesOf),
      );
      const page = matching.slice(0, limit);
      const next = matching.length > limit ? page.at(-1)?.position : upTo;
      return { changes: page, next: limit < 1 ? after : (next ?? upTo) };
    },
    checkpoint: () => log.head(),
  };
}

const isFor = ({ seesAll, projectId }: HistoryViewer, change: ChangeRecord): boolean =>
  seesAll ||
  (!change.inside &&
    change.kind !== 'refusals' &&
    projectId !== null &&
    [change.projectId, change.formerProjectId].includes(projectId));

function isWanted(
  { project, actor, types, kinds, object, namespace, refused, from, to }: HistoryFilter,
  change: ChangeRecord,
  names: ReadonlyMap<string, ReadonlySet<string>>,
): boolean {
  const { actor: who } = change.metadata;
  const about = change.object ?? '';
  return (
    (project === undefined || [change.projectId, change.formerProjectId].includes(project)) &&
    (actor === undefined || actor === (who.kind === 'user' ? who.userId : who.part)) &&
    (types === undefined || types.includes(change.type)) &&
    (kinds === undefined || kinds.includes(change.kind)) &&
    (object === undefined || object === about) &&
    (namespace === undefined || namespace === about || names.get(namespace)?.has(about) === true) &&
    (refused === undefined || refused === (change.kind === 'refusals')) &&
    (from === undefined || change.recordedAt >= from) &&
    (to === undefined || change.recordedAt <= to)
  );
}

/** Images as they were: those of a log that ends there. */
export function memoryPast(log: EventLog): PastImages {
  const then = (at: bigint) => memoryImages(endedAt(log, at));
  return {
    show: (imageId, at) => then(at).show(imageId),
    list: (query, at) => then(at).list(query),
    async positionAt(time) {
      const all = await log.readAll(0n, Number.MAX_SAFE_INTEGER);
      const last = all.findLast(({ recordedAt }) => recordedAt <= time);
      return {
        position: last?.position ?? 0n,
        isPast: all.some(({ recordedAt }) => recordedAt > time),
      };
    },
  };
}

const endedAt = (log: EventLog, at: bigint): EventLog => ({
  ...log,
  readAll: async (after, limit): Promise<readonly RecordedEvent[]> =>
    (await log.readAll(after, limit)).filter(({ position }) => position <= at),
});
