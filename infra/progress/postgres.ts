import type { Pool } from 'pg';
import type { Logger } from '../telemetry/logger.ts';
import type { ImportProgress, ProgressBoard, ProgressReader } from './progress.ts';

/** What nobody forgot, since its worker died, goes when it is so old: whoever took the work over tells anew. */
const keptHours = 24;

/**
 * Writes what was told since the last time, all in one statement, each `everyMs`. What cannot be written is left: the
 * next word makes up for it.
 */
export function postgresBoard(
  pool: Pool,
  { logger, everyMs = 1_000 }: { readonly logger: Logger; readonly everyMs?: number },
): ProgressBoard {
  const told = new Map<string, ImportProgress>();
  const written = new Set<string>();
  const over = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = async (): Promise<void> => {
    const rows = [...told];
    const gone = [...over];
    told.clear();
    over.clear();
    if (rows.length > 0)
      await pool.query({
        name: 'progress-tell',
        text: tellText,
        values: [rows.map(([id]) => id), rows.map(([, progress]) => JSON.stringify(progress))],
      });
    if (gone.length > 0) await pool.query(forgetText, [gone, keptHours]);
  };
  const soon = (): void => {
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      writing = writing
        .then(write)
        .catch((error) => logger.debug({ err: error }, 'progress could not be told'));
    }, everyMs);
    timer.unref();
  };

  return {
    tell(uploadId, progress) {
      told.set(uploadId, progress);
      written.add(uploadId);
      over.delete(uploadId);
      soon();
    },
    forget(uploadId) {
      told.delete(uploadId);
      // What is over before it was ever told leaves nothing to forget.
      if (!written.delete(uploadId)) return;
      over.add(uploadId);
      soon();
    },
    async close() {
      clearTimeout(timer);
      await writing;
      await write().catch(() => {});
    },
  };
}

const tellText = `
  insert into import_progress (upload_id, progress, told_at)
  select id, progress::json, now() from unnest($1::text[], $2::text[]) as told (id, progress)
  on conflict (upload_id) do update
  set progress = excluded.progress, told_at = excluded.told_at`;

const forgetText = `
  delete from import_progress
  where upload_id = any ($1::text[]) or told_at < now() - make_interval(hours => $2)`;

export const postgresProgressReader = (pool: Pool): ProgressReader => ({
  async find(uploadIds) {
    if (uploadIds.length === 0) return new Map();
    const { rows } = await pool.query<{ upload_id: string; progress: ImportProgress }>({
      name: 'progress-find',
      text: 'select upload_id, progress from import_progress where upload_id = any ($1::text[])',
      values: [uploadIds],
    });
    return new Map(rows.map(({ upload_id, progress }) => [upload_id, progress]));
  },
});
