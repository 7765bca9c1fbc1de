import pg from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { until } from '../support/until.ts';

const quiet = logger('faults', 'silent');

/**
 * Rebuilds the read model from position 0 and compares every row of it with what the live one held at the same
 * position. Gives the rows that differ. Nobody may be writing but the system itself.
 */
export async function rowsThatDiffer(
  postgresUrl: string,
  eventLogUrl = postgresUrl,
): Promise<string[]> {
  const pool = new pg.Pool({ connectionString: postgresUrl, max: 3 });
  pool.on('error', () => undefined);
  const log = await openEventLog(eventLogUrl, { log: quiet, upcast });
  try {
    return await until('the log to rest while the read model is rebuilt', async () => {
      const live = await snapshot(pool);
      const head = await log.head();
      if (live.position !== String(head)) return undefined;
      const { signal } = new AbortController();
      await rebuild({ projection: imagesProjection, pool, log, signal, onUnprojectable });
      const rebuilt = await snapshot(pool);
      return (await log.head()) === head ? differences(live.rows, rebuilt.rows) : undefined;
    });
  } finally {
    await log.close();
    await pool.end();
  }
}

function onUnprojectable({ streamId, revision }: RecordedEvent, cause: unknown): never {
  throw new Error(`${streamId} revision ${revision} cannot be projected`, { cause });
}

interface Snapshot {
  readonly position: string;
  readonly rows: ReadonlyMap<string, string>;
}

/** Of one instant: one statement sees one state of the database. */
async function snapshot(pool: pg.Pool): Promise<Snapshot> {
  const { rows } = await pool.query<{ row: string; position: string }>(`
    with told as (
      select 'image ' || id as key, to_jsonb(image) as row from images.image
      union all
      select 'work ' || id, to_jsonb(work) from images.work
      union all
      select 'checkpoint', to_jsonb(0)
    )
    select
      json_build_array(key, row)::text as row,
      (select position from read_model.generation where model = 'images' and state = 'live') as position
    from told`);
  const [first] = rows;
  return {
    position: first?.position ?? '',
    rows: new Map(
      rows.map(({ row }): [string, string] => {
        const [key, columns] = JSON.parse(row) as [string, object];
        return [key, JSON.stringify(columns)];
      }),
    ),
  };
}

function differences(live: Snapshot['rows'], rebuilt: Snapshot['rows']): string[] {
  const keys = new Set([...live.keys(), ...rebuilt.keys()]);
  return [...keys]
    .filter((key) => live.get(key) !== rebuilt.get(key))
    .map((key) => `${key}: live ${live.get(key)}, rebuilt ${rebuilt.get(key)}`);
}
