import type { Pool } from 'pg';
import { postgresPool } from '../../../infra/postgres/pool.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import { examine, type Finding, type Findings } from './finding.ts';

const oldestMajor = 14;
/** Of one gateway, worker, projector and relay, with what tools need besides. */
const connectionsOfOne = 60;

/** One Postgres; `pending` gives the migrations that it lacks. */
export function examinePostgres(
  of: string,
  setting: string,
  url: string,
  { log, pending }: { readonly log: Logger; pending(): Promise<readonly string[]> },
): Promise<readonly Finding[]> {
  return examine(
    of,
    async (found) => {
      const pool = postgresPool(url, { log, max: 1, queryTimeoutMs: 10_000 });
      try {
        await server(pool, found);
        await durability(pool, found);
        await connections(pool, found);
      } finally {
        await pool.end();
      }
      const missing = await pending();
      if (missing.length === 0) found.ok('its tables are of this release');
      else found.fail(`lacks ${missing.join(', ')}: run daguerre migrate`);
    },
    `look at ${setting}, and whether that server runs`,
  );
}

async function server(pool: Pool, found: Findings): Promise<void> {
  const { rows } = await pool.query<{ version: string; number: number; standby: boolean }>(`
    select current_setting('server_version') as version,
      current_setting('server_version_num')::int as number,
      pg_is_in_recovery() as standby`);
  const { version = '', number = 0, standby = false } = rows[0] ?? {};
  if (standby) found.fail('is a standby, which cannot be written: name the primary');
  else if (number < oldestMajor * 10_000)
    found.fail(`is PostgreSQL ${version}: ${oldestMajor} is the oldest that will do`);
  else found.ok(`PostgreSQL ${version} answers`);
}

async function durability(pool: Pool, found: Findings): Promise<void> {
  const { rows } = await pool.query<{ name: string; setting: string }>(`
    select name, setting
    from pg_settings
    where name in ('fsync', 'full_page_writes', 'synchronous_commit')
    order by name`);
  const off = rows.filter(({ setting }) => setting === 'off');
  for (const { name } of off)
    found.fail(`${name} is off: what was acknowledged can be lost; set ${name} = on`);
  if (off.length === 0) found.ok('fsync, full_page_writes and synchronous_commit are on');
}

async function connections(pool: Pool, found: Findings): Promise<void> {
  const { rows } = await pool.query<{ most: number; used: number }>(`
    select current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int as most,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used`);
  const { most = 0, used = 0 } = rows[0] ?? {};
  const text = `${used} of ${most} connections are in use`;
  if (most < connectionsOfOne)
    found.warn(
      `${text}: raise max_connections; one process of each part needs ${connectionsOfOne}`,
    );
  else if (used > 0.9 * most) found.warn(`${text}: raise max_connections`);
  else found.ok(text);
}
