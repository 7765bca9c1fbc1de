import type { EventLog } from '../../domain/event-log.ts';
import { fold, type TaskEntry, taskIdOf } from '../../projections/tasks/fold.ts';
import { sortValue } from '../../projections/tasks/queries.ts';
import type { TaskRecord } from '../../projections/tasks/record.ts';
import {
  isSeenBy,
  type SortKey,
  TaskMarkerUnknown,
  type TaskQuery,
  type Tasks,
} from '../../projections/tasks/tasks.ts';

const timeToLiveMs = 48 * 3_600_000;

/** The tasks read model in memory: folded anew from the log at each question. */
export function memoryTasks(log: Pick<EventLog, 'readAll'>): Tasks {
  const all = async (): Promise<readonly TaskRecord[]> => {
    const entries = new Map<string, TaskEntry>();
    for (const event of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
      const id = taskIdOf(event);
      if (id !== undefined) entries.set(id, fold(entries.get(id) ?? {}, event));
    }
    return [...entries.values()].flatMap(({ task }) =>
      task === undefined ? [] : [{ ...task, expiresAt: later(task.endedAt) }],
    );
  };
  return {
    show: async (taskId) => (await all()).find(({ id }) => id === taskId),
    async list(query) {
      const { viewer, status, type, marker, limit } = query;
      const sorted = (await all())
        .filter((task) => isSeenBy(task, viewer))
        .filter((task) => status === undefined || task.status === status)
        .filter((task) => type === undefined || task.type === type)
        .sort((one, other) => compare(one, other, query));
      const at = sorted.findIndex(({ id }) => id === marker);
      if (marker !== undefined && at < 0) throw new TaskMarkerUnknown(marker);
      return sorted.slice(at + 1, at + 1 + limit);
    },
    ofImage: async (imageId, viewer) =>
      (await all())
        .filter((task) => task.imageId === imageId && isSeenBy(task, viewer))
        .sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime()),
  };
}

const later = (ended: Date | null): Date | null =>
  ended === null ? null : new Date(ended.getTime() + timeToLiveMs);

function compare(one: TaskRecord, other: TaskRecord, { sort }: TaskQuery): number {
  for (const key of [sort.key, 'created_at', 'id'] satisfies SortKey[]) {
    const [a, b] = [sortValue[key](one), sortValue[key](other)];
    if (a < b || a > b) return (a < b ? -1 : 1) * (sort.direction === 'asc' ? 1 : -1);
  }
  return 0;
}
