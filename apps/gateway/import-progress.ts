import type { Access, Caller } from '../../domain/image/access.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ImportProgress, ProgressReader } from '../../infra/progress/progress.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import type { TaskRecord } from '../../projections/tasks/record.ts';

/** How far imports are, for those who may know. */
export interface ImportProgresses {
  /** As a property of the image; none where nothing is under way, or the caller is neither owner nor administrator. */
  ofImage(record: ImageRecord, caller: Caller): Promise<JsonObject>;
  /** The same tasks, those under way with their message of this moment. */
  ofTasks<Task extends TaskRecord>(tasks: readonly Task[]): Promise<readonly Task[]>;
}

/** The property of an image that tells of its import. Its prefix is the server's own. */
const property = 'os_glance_import_progress';

export function importProgresses({
  progress,
  access,
  logger,
}: {
  progress: ProgressReader;
  access: Pick<Access, 'isAdmin'>;
  logger: Logger;
}): ImportProgresses {
  /** Without it, all is said but how far they are. */
  const known = (ids: readonly string[]): Promise<ReadonlyMap<string, ImportProgress>> =>
    progress.find(ids).catch((error) => {
      logger.warn({ err: error }, 'progress of imports cannot be looked up');
      return new Map();
    });

  return {
    async ofImage({ imports, owner }, caller) {
      const taskId = imports?.taskId ?? null;
      const mayKnow = access.isAdmin(caller) || (owner !== null && owner === caller.projectId);
      if (taskId === null || !mayKnow) return {};
      const told = (await known([taskId])).get(taskId);
      return told === undefined ? {} : { [property]: JSON.stringify(documentOf(told)) };
    },
    async ofTasks(tasks) {
      const running = tasks.flatMap(({ id, status }) => (status === 'processing' ? [id] : []));
      if (running.length === 0) return tasks;
      const told = await known(running);
      return tasks.map((task) => {
        const one = told.get(task.id);
        return one === undefined ? task : { ...task, message: messageOf(one) };
      });
    },
  };
}

/** Bytes all of it; `bytes_per_second` null while it is too early to say. */
const documentOf = ({ phase, done, total, rate, stores, waiting }: ImportProgress): JsonObject => ({
  phase,
  bytes: done,
  bytes_total: total,
  bytes_per_second: rate,
  stores: { ...stores },
  waiting,
});

const mebibyte = 1024 ** 2;
const inMebibytes = (bytes: number): string => `${Math.floor(bytes / mebibyte)} MiB`;

/** Begins as the original has it, where that says anything. */
export function messageOf({ phase, done, total, rate, stores, waiting }: ImportProgress): string {
  if (phase === 'checking') return 'Checking the bytes';
  const whole = total === null ? '' : ` of ${inMebibytes(total)}`;
  const speed = rate === null ? '' : `, ${(rate / mebibyte).toFixed(1)} MiB/s`;
  const pause = waiting === null ? '' : ` (waiting: ${waiting})`;
  const names = Object.entries(stores).map(([store, bytes]) => `${store} ${inMebibytes(bytes)}`);
  const where = names.length === 0 ? '' : ` (${names.join(', ')})`;
  return phase === 'fetching'
    ? `Downloaded ${inMebibytes(done)}${whole}${speed}${pause}`
    : `Copied ${inMebibytes(done)}${whole}${speed}${where}`;
}
