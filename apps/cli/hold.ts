import { randomUUID } from 'node:crypto';
import { type HoldCommand, longestReason } from '../../domain/hold/hold.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { isUuid } from '../../infra/files/files.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { openHoldLocks } from '../../infra/retention/hold-locks.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import { type HoldTarget, holdKeeper, type StandingHold, standingHolds } from '../legal-holds.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { operatorOf } from './operator.ts';
import { wordsAndFlags } from './words-and-flags.ts';

const usage = `Usage: daguerre hold place --image ID | --project ID --reason TEXT [FLAGS]
       daguerre hold lift --image ID | --project ID [FLAGS]
       daguerre hold list [--json] [FLAGS]

Legal holds. What is under one is not deleted, whoever asks: DELETE answers 409 with the
reason, and a delayed deletion is put off. A project's hold is for every image that it owns
or will own. Once a hold is placed it counts at every gateway. The log keeps who did it.

  --image ID        one image, also a deleted one that can still be restored
  --project ID      all images of a project
  --reason TEXT     is told to whoever may delete it
  --json            the same as one JSON document

${settingsHelp()}
`;

/** Longest wait for the log, and for history. */
const patienceMs = 15_000;

const argumentsFrom = wordsAndFlags({
  valued: ['image', 'project', 'reason'],
  switches: ['json'],
});
type Given = ReturnType<typeof argumentsFrom>;

export const holdCommand: Command = {
  name: 'hold',
  summary: 'legal holds: what must not be deleted, and why',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const given = argumentsFrom(args);
    const [verb, ...others] = given.words;
    if (others.length > 0) throw new UsageError(`what is ${others[0]}? --help tells more`);
    const config = configFrom(given.settings, environment);
    if (verb === 'list') {
      const holds = await withDatabases(config, list);
      process.stdout.write(
        given.has('json') ? `${JSON.stringify({ holds }, undefined, 2)}\n` : text(holds),
      );
      return 0;
    }
    if (verb !== 'place' && verb !== 'lift')
      throw new UsageError('say place, lift or list; --help tells more');
    const target = targetIn(given);
    const command = verb === 'lift' ? ({ type: 'LiftHold' } as const) : placing(given);
    await withDatabases(config, (databases) => change(databases, target, command));
    const done = verb === 'lift' ? 'under no hold of its own any more' : 'under hold';
    process.stdout.write(`${target.kind} ${target.id}: ${done}\n`);
    return 0;
  },
};

function targetIn(given: Given): HoldTarget {
  const [image, project] = [given.last('image'), given.last('project')];
  if ((image === undefined) === (project === undefined))
    throw new UsageError('say which image or which project, with --image ID or --project ID');
  if (project === '') throw new UsageError('--project needs a value');
  if (project !== undefined) return { kind: 'project', id: project };
  if (image === undefined || !isUuid(image))
    throw new UsageError(`${image} is not the id of an image`);
  return { kind: 'image', id: image.toLowerCase() };
}

function placing(given: Given): HoldCommand {
  const reason = given.last('reason');
  if (reason === undefined || reason.trim() === '' || reason.length > longestReason)
    throw new UsageError(`say why, with --reason TEXT of at most ${longestReason} characters`);
  return { type: 'PlaceHold', reason };
}

async function change(
  databases: Databases,
  target: HoldTarget,
  command: HoldCommand,
): Promise<void> {
  const { eventLogUrl, postgresUrl } = databases;
  const quiet = logger('cli', 'warn');
  await migrateAll(databases, quiet);
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log: quiet, max: 1 });
  const locks = openHoldLocks(postgresUrl, {
    log: quiet,
    applicationName: 'daguerre hold',
    max: 1,
  });
  const log = await openEventLog(eventLogUrl, { log: quiet, upcast });
  try {
    const personal = await personalRecords(besideLog).remember(operatorOf('daguerre hold'));
    const correlationId = randomUUID();
    const metadata = {
      actor: { kind: 'system', part: 'cli' },
      ...{ requestId: `req-${correlationId}`, correlationId, personal },
    } as const;
    const context = { commandId: correlationId, metadata };
    await holdKeeper({ log, locks })(target, command, context, AbortSignal.timeout(patienceMs));
  } finally {
    await log.close();
    await locks.close();
    await besideLog.end();
  }
}

async function list({ eventLogUrl, postgresUrl }: Databases): Promise<readonly StandingHold[]> {
  const quiet = logger('cli', 'warn');
  const pool = postgresPool(postgresUrl, { log: quiet, max: 2 });
  const shown = visible(pool, postgresUrl, { log: quiet, models: [historyProjection.name] });
  const log = await openEventLog(eventLogUrl, { log: quiet, upcast });
  try {
    const head = await log.head();
    await shown.waitFor(head, patienceMs).catch((cause: unknown) => {
      throw new Error('history has not caught up: is a projector running?', { cause });
    });
    return await standingHolds({ log, changes: historyQueries(pool) }, head);
  } finally {
    await log.close();
    await shown.close();
    await pool.end();
  }
}

const text = (holds: readonly StandingHold[]): string =>
  holds.length === 0
    ? 'nothing is under hold\n'
    : holds.map(({ kind, id, reason }) => `${kind}  ${id}  ${reason}\n`).join('');
