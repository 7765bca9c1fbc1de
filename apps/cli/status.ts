import type { Pool } from 'pg';
import { upcast } from '../../domain/image/upcast.ts';
import type { Amounts } from '../../domain/quota/resources.ts';
import { postgresAuditMemory } from '../../infra/audit/memory.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { postgresCursors } from '../../infra/export/cursors.ts';
import { queueConnection } from '../../infra/jobs/bullmq/connection.ts';
import { bullmqJobQueue } from '../../infra/jobs/bullmq/job-queue.ts';
import type { QueueState } from '../../infra/jobs/job-queue.ts';
import { metricsOfParts } from '../../infra/leases/heartbeat.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import type { Work } from '../../projections/images/record.ts';
import { quotaProjection } from '../../projections/quota/projection.ts';
import { quotaQueries } from '../../projections/quota/queries.ts';
import type { ProjectReservation } from '../../projections/quota/quotas.ts';
import { webhooksProjection } from '../../projections/webhooks/projection.ts';
import { type ExportStanding, exportLines, exportStandings } from '../export/standings.ts';
import type { Databases } from '../migrations.ts';
import { projections } from '../projector/projections.ts';
import { relayedTo } from '../relay/metrics.ts';
import { readRunning } from '../standalone/running-file.ts';
import { type AuditStanding, auditLines, auditStanding } from './audit-standing.ts';
import { asksForHelp, type Command, switches } from './command.ts';
import { withDatabases } from './database.ts';
import { type WebhookStanding, webhookLines, webhookStandings } from './webhook-standings.ts';

/** A relay that has said nothing for so long is no more. */
const relaysWithinMs = 60_000;

const usage = `Usage: daguerre status [--json] [FLAGS]

Shows the head of the log, how far each read model, relay, webhook and audit export is, what is
signed and whether the audit raised an alarm, the queue, which processes live and what each
holds alone, and every upload that the log has not ended.

  --json            the same as one JSON document

${settingsHelp()}
`;

interface ReadModel {
  readonly model: string;
  /** Null until it has been built. */
  readonly position: string | null;
  readonly lag: string;
}

interface Status {
  readonly url: string | null;
  readonly head: string;
  /** The one that is furthest behind. */
  readonly readModel: { readonly position: string; readonly lag: string };
  readonly readModels: readonly ReadModel[];
  /** Streams of JetStream; `lag` in positions. Some seconds old. */
  readonly relays: readonly {
    readonly stream: string;
    readonly position: string;
    readonly lag: string;
  }[];
  readonly webhooks: readonly WebhookStanding[];
  /** Targets of the audit export. */
  readonly exports: readonly ExportStanding[];
  readonly audit: AuditStanding;
  /** Null when the queue cannot be reached. */
  readonly queue: QueueState | null;
  readonly processes: readonly {
    readonly owner: string;
    readonly part: string;
    readonly secondsSinceBeat: number;
  }[];
  /** Who does alone what one is to do at a time: each read model's projector, each relayed stream, dispatching ... */
  readonly leases: readonly { readonly name: string; readonly owner: string }[];
  readonly work: readonly (Omit<Work, 'position'> & { readonly position: string })[];
  /** Room in projects' quotas that is held for what is under way. */
  readonly reservations: readonly ProjectReservation[];
}

export const statusCommand: Command = {
  name: 'status',
  summary: 'positions, processes and open work',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const { rest, given } = switches(args, ['json']);
    const config = configFrom(rest, environment);
    const running = readRunning(config['data-dir']);
    const redisUrl = config['redis-url'] ?? running?.redisUrl ?? undefined;
    const status = await withDatabases(config, (databases) =>
      statusOf(databases, redisUrl, running?.url ?? null),
    );
    process.stdout.write(given.json ? `${JSON.stringify(status, undefined, 2)}\n` : text(status));
    return 0;
  },
};

async function statusOf(
  databases: Databases,
  redisUrl: string | undefined,
  url: string | null,
): Promise<Status> {
  const log = logger('cli', 'warn');
  const pool = postgresPool(databases.postgresUrl, { log, max: 2 });
  const besideLog = postgresPool(besideLogUrl(databases.eventLogUrl, databases.postgresUrl), {
    log,
    max: 1,
  });
  const events = await openEventLog(databases.eventLogUrl, { log, upcast });
  try {
    const positions = await positionsOf(pool);
    const [head, work, processes] = [
      await events.head(),
      await imageQueries(pool).openWork(),
      await processesOf(pool),
    ];
    // Kept only where something is limited.
    const hasQuotas = positions.has(quotaProjection.name);
    const shown = projections.filter((one) => one !== quotaProjection || hasQuotas);
    const reservations = hasQuotas ? await quotaQueries(pool).openReservations() : [];
    const queue = await queueState({ redisUrl, postgresUrl: databases.postgresUrl });
    const webhooks = positions.has(webhooksProjection.name)
      ? await webhookStandings(pool, head)
      : [];
    const leases = await leasesOf(pool);
    const exported = await postgresCursors(besideLog).standings();
    const relayed = relayedTo(await metricsOfParts(pool, ['relay'], relaysWithinMs));
    const lagOf = (model: string): bigint => max(head - (positions.get(model) ?? 0n), 0n);
    const lag = shown.map(({ name }) => lagOf(name)).reduce(max, 0n);
    return {
      url,
      head: String(head),
      readModel: { position: String(head - lag), lag: String(lag) },
      readModels: shown.map(({ name }) => ({
        model: name,
        position: positions.get(name)?.toString() ?? null,
        lag: String(lagOf(name)),
      })),
      relays: relayed.map(({ stream, position }) => ({
        stream,
        position: String(position),
        lag: String(max(head - BigInt(position), 0n)),
      })),
      webhooks,
      exports: exportStandings(exported, head, leases),
      audit: await auditStanding(postgresAuditMemory(besideLog), head),
      queue,
      processes,
      leases,
      work: work.map((one) => ({ ...one, position: String(one.position) })),
      reservations,
    };
  } finally {
    await events.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}

const max = (one: bigint, other: bigint): bigint => (one > other ? one : other);

async function queueState(urls: Parameters<typeof queueConnection>[0]): Promise<QueueState | null> {
  const queue = bullmqJobQueue(await queueConnection(urls, silent), silent);
  try {
    return await queue.state();
  } catch {
    return null;
  } finally {
    await queue.close();
  }
}

/** The table says that the queue is away. */
const silent = { info() {}, warn() {}, error() {} };

function queueLines(queue: QueueState | null): readonly string[] {
  if (queue === null)
    return ['jobs        the queue cannot be reached; the reconciler does without it'];
  const { waiting, delayed, active, dead, deadCount } = queue;
  return [
    `jobs        ${waiting} waiting, ${delayed} to be tried again, ${active.length} in work, ${deadCount} dead`,
    ...active.map(
      ({ job, progress, since }) =>
        `job         image ${job.imageId}: ${progress ?? 'begun'}, in work since ${since.toISOString()}`,
    ),
    ...dead.map(
      ({ job, reason, attempts, at }) =>
        `dead job    image ${job.imageId}: ${reason}, after ${attempts} attempts, at ${at.toISOString()}`,
    ),
  ];
}

/** Checkpoint of each read model that queries find. */
async function positionsOf(pool: Pool): Promise<ReadonlyMap<string, bigint>> {
  const { rows } = await pool.query<{ model: string; position: bigint }>(
    `select model, position from read_model.generation where state = 'live'`,
  );
  return new Map(rows.map(({ model, position }) => [model, position]));
}

async function processesOf(pool: Pool): Promise<Status['processes']> {
  const { rows } = await pool.query<{ owner: string; part: string; seconds: number }>(`
    select owner, part, extract(epoch from now() - beaten_at)::float8 as seconds
    from heartbeats
    where beat >= 0 and beaten_at > now() - interval '1 minute'
    order by part, owner`);
  return rows.map(({ owner, part, seconds }) => ({ owner, part, secondsSinceBeat: seconds }));
}

async function leasesOf(pool: Pool): Promise<Status['leases']> {
  const { rows } = await pool.query<{ name: string; owner: string }>(
    'select name, owner from leases order by name',
  );
  return rows;
}

function text({
  url,
  head,
  readModels,
  relays,
  webhooks,
  exports,
  audit,
  queue,
  processes,
  leases,
  work,
  reservations,
}: Status): string {
  const lines = [
    `service     ${url ?? 'not running on this data directory'}`,
    `log         head at position ${head}`,
    ...readModels.map(({ model, position, lag }) =>
      position === null
        ? `read model  ${model} is not built yet`
        : `read model  ${model} at position ${position}, ${lag} behind`,
    ),
    ...relays.map(
      ({ stream, position, lag }) => `relay       ${stream} at position ${position}, ${lag} behind`,
    ),
    ...webhookLines(webhooks),
    ...exportLines(exports),
    ...auditLines(audit),
    ...queueLines(queue),
    ...processes.map(
      ({ owner, secondsSinceBeat }) =>
        `process     ${owner}, last heard of ${secondsSinceBeat.toFixed(1)} s ago`,
    ),
    ...leases.map(({ name, owner }) => `lease       ${name} is held by ${owner}`),
    ...work.map(
      ({ imageId, kind, owner, since, epoch }) =>
        `work        image ${imageId}: ${kind} since ${since.toISOString()}, ` +
        `${owner === null ? 'waiting' : `by ${owner}`}${epoch > 0 ? `, claim ${epoch}` : ''}`,
    ),
    ...(work.length === 0 ? ['work        none open'] : []),
    ...reservations.map(
      ({ projectId, imageId, amounts, owner }) =>
        `quota       project ${projectId}: ${amountsText(amounts)} held for image ${imageId} by ${owner}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

const amountsText = (amounts: Amounts): string =>
  Object.entries(amounts)
    .map(([resource, amount]) => `${amount} ${resource}`)
    .join(', ');
