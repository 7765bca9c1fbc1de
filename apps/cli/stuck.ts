import type { Pool } from 'pg';
import { upcast } from '../../domain/image/upcast.ts';
import { type Config, configFrom, settingsHelp } from '../../infra/config/config.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { queueConnection } from '../../infra/jobs/bullmq/connection.ts';
import { bullmqJobQueue } from '../../infra/jobs/bullmq/job-queue.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import type { Work } from '../../projections/images/record.ts';
import { whyKept } from '../legal-holds.ts';
import type { Databases } from '../migrations.ts';
import { readRunning } from '../standalone/running-file.ts';
import { asksForHelp, type Command, switches } from './command.ts';
import { withDatabases } from './database.ts';
import { type Stuck, stuckWork } from './stuck-work.ts';

const usage = `Usage: daguerre stuck [--json] [FLAGS]

Prints every piece of work on an image that rests without a living owner, or beyond its time, and
why: it should print nothing. Ends with 1 where there is any.

  --json            the same as one JSON document

${settingsHelp()}
`;

export const stuckCommand: Command = {
  name: 'stuck',
  summary: 'work that does not go on, and why; it should be none',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const { rest, given } = switches(args, ['json']);
    const config = configFrom(rest, environment);
    const found = await withDatabases(config, (databases) => foundOn(databases, config));
    const lines = found.map(
      ({ imageId, what, since, why }) =>
        `image ${imageId}: ${what} since ${since.toISOString()}: ${why}\n`,
    );
    process.stdout.write(given.json ? `${JSON.stringify(found, undefined, 2)}\n` : lines.join(''));
    return found.length === 0 ? 0 : 1;
  },
};

async function foundOn(
  { postgresUrl, eventLogUrl }: Databases,
  config: Config,
): Promise<readonly Stuck[]> {
  const pool = postgresPool(postgresUrl, { log: logger('cli', 'warn'), max: 2 });
  try {
    const redisUrl = config['redis-url'] ?? readRunning(config['data-dir'])?.redisUrl ?? undefined;
    const now = new Date();
    const work = await imageQueries(pool).openWork();
    return stuckWork({
      ...{ now, work, held: await heldOf(work, now, eventLogUrl) },
      beats: await beatsOf(pool),
      waiting: await waitingIn({ redisUrl, postgresUrl }),
      fetches: await fetchesOf(pool),
      stagingTimeoutSeconds: config['staging-timeout'],
      patienceSeconds: config['import-patience'],
    });
  } finally {
    await pool.end();
  }
}

/** Deleted images that are kept beyond their time by a legal hold. */
async function heldOf(
  work: readonly Work[],
  now: Date,
  eventLogUrl: string,
): Promise<ReadonlySet<string>> {
  const due = work.filter(({ kind, due }) => kind === 'scrub' && due !== null && due < now);
  const held = new Set<string>();
  if (due.length === 0) return held;
  const log = await openEventLog(eventLogUrl, { log: silent, upcast });
  try {
    for (const { imageId } of due) if ((await whyKept(log, imageId)) !== null) held.add(imageId);
    return held;
  } finally {
    await log.close();
  }
}

async function beatsOf(pool: Pool): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool.query<{ owner: string; seconds: number }>(`
    select owner, extract(epoch from now() - beaten_at)::float8 as seconds
    from heartbeats
    where beat >= 0`);
  return new Map(rows.map(({ owner, seconds }) => [owner, seconds]));
}

async function fetchesOf(pool: Pool): Promise<ReadonlyMap<string, Date>> {
  const { rows } = await pool.query<{ upload_id: string; told_at: Date }>(
    `select upload_id, told_at from import_progress where progress->>'phase' = 'fetching'`,
  );
  return new Map(rows.map(({ upload_id, told_at }) => [upload_id, told_at]));
}

/** A queue that cannot be asked excuses nothing: the reconciler does without it. */
async function waitingIn(
  urls: Parameters<typeof queueConnection>[0],
): Promise<ReadonlySet<string>> {
  const queue = bullmqJobQueue(await queueConnection(urls, silent), silent);
  try {
    return (await queue.waiting()) ?? new Set();
  } catch {
    return new Set();
  } finally {
    await queue.close();
  }
}

const silent = { info() {}, warn() {}, error() {} };
