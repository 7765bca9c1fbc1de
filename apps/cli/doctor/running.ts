import { hostname } from 'node:os';
import type { Pool } from 'pg';
import type { Config } from '../../../infra/config/config.ts';
import { openEventLog } from '../../../infra/event-log/open.ts';
import { postgresPool } from '../../../infra/postgres/pool.ts';
import { signsIn } from '../../../infra/shared-directories/signs.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { Databases } from '../../migrations.ts';
import { projectionsFor } from '../../projector/projections.ts';
import { byteDirs } from '../../shared-byte-dirs.ts';
import { examine, type Finding, type Findings } from './finding.ts';

/** What living processes do together: beside the connections, which are looked at by themselves. */
export async function examineRunning(
  config: Config,
  { postgresUrl, eventLogUrl }: Databases,
  log: Logger,
): Promise<readonly Finding[]> {
  const pool = postgresPool(postgresUrl, { log, max: 1, queryTimeoutMs: 10_000 });
  try {
    return [
      ...(await examine('processes', (found) => processes(pool, config, found))),
      ...(await examine('leases', (found) => leases(pool, config, found))),
      ...(await examine('read models', (found) =>
        readModels(pool, eventLogUrl, config, log, found),
      )),
      ...(await examine('staging', (found) => shared(pool, config, found))),
    ];
  } finally {
    await pool.end();
  }
}

/** Beats are a quarter of a lease apart; a busy machine may be late with one. */
const livesWithin = (config: Config): string => `${2 * config['lease-ms']} milliseconds`;

async function processes(pool: Pool, config: Config, found: Findings): Promise<void> {
  const { rows } = await pool.query<{ part: string; count: number }>(
    `
    select part, count(*)::int as count
    from heartbeats
    where beat >= 0 and beaten_at > now() - $1::interval
    group by part
    order by part`,
    [livesWithin(config)],
  );
  const wanted = ['gateway', 'worker', 'projector', ...(config['nats-url'] ? ['relay'] : [])];
  const absent = wanted.filter((part) => !rows.some((row) => row.part === part));
  const living = rows.map(({ part, count }) => `${count} ${part}`).join(', ');
  if (rows.length === 0) found.warn('none lives: start Daguerre');
  else if (absent.length > 0) found.fail(`${living}; no ${absent.join(', no ')} lives: start one`);
  else found.ok(living);
}

async function leases(pool: Pool, config: Config, found: Findings): Promise<void> {
  const { rows } = await pool.query<{ name: string; owner: string; lives: boolean }>(
    `
    select name, leases.owner,
      coalesce(beat >= 0 and beaten_at > now() - $1::interval, false) as lives
    from leases
      left join heartbeats using (owner)
    order by name`,
    [livesWithin(config)],
  );
  const dead = rows.filter(({ lives }) => !lives);
  for (const { name, owner } of dead)
    found.warn(`${name} is held by ${owner}, which is dead: another takes over within seconds`);
  if (dead.length === 0) found.ok(`${rows.length} held, each by a living process`);
}

/** Events that a projector has in hand at a busy moment. */
const usualLag = 10_000n;

async function readModels(
  pool: Pool,
  eventLogUrl: string,
  config: Config,
  log: Logger,
  found: Findings,
): Promise<void> {
  const { rows } = await pool.query<{ model: string; position: bigint }>(
    `select model, position from read_model.generation where state = 'live'`,
  );
  const events = await openEventLog(eventLogUrl, { log, upcast: (event) => event });
  const head = await events.head().finally(() => events.close());
  const positions = new Map(rows.map(({ model, position }) => [model, position]));
  const behind = projectionsFor(config).filter(({ name }) => {
    const position = positions.get(name);
    if (position === undefined) found.warn(`${name} is not built yet: does a projector run?`);
    else if (head - position > usualLag)
      found.warn(`${name} is ${head - position} behind: is its projector at work?`);
    else return false;
    return true;
  });
  if (behind.length === 0) found.ok(`${rows.length} follow the log at position ${head}`);
}

/** Whoever uses other directories writes what nobody here finds. */
async function shared(pool: Pool, config: Config, found: Findings): Promise<void> {
  const { rows } = await pool.query<{
    owner: string;
    name: string;
    host: string;
    directory: string;
  }>(
    `
    select owner, name, host, directory
    from shared_directories
      join heartbeats using (owner)
    where beat >= 0 and beaten_at > now() - $1::interval
    order by number`,
    [livesWithin(config)],
  );
  const ours = byteDirs(config);
  const apart: string[] = [];
  for (const { owner, name, host, directory } of rows) {
    const one = ours.find((each) => each.name === name);
    if (one === undefined || (await signsIn(one).shows(owner))) continue;
    apart.push(owner);
    found.fail(
      `${owner} on ${host} has ${directory} as ${name}, which is not ${one.directory} here on ${hostname()}: all must share one`,
    );
  }
  if (apart.length === 0 && rows.length > 0)
    found.ok('all gateways and workers have the same directories');
}
