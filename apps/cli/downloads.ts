import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { commandHandler } from '../../domain/command-handler.ts';
import {
  type RecordingChoice,
  recordingChoice,
  recordingStream,
} from '../../domain/download-record/switch.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { eventId } from '../../infra/event-id.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { nearHolder } from '../../infra/near/holder.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { choiceIn } from '../gateway/downloads/switches.ts';
import { pause } from '../handle-image.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { answeredFrom } from '../projector/projections.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { operatorOf } from './operator.ts';

const usage = `Usage: daguerre downloads [on | off | default] --project ID [FLAGS]

Says whether downloads of a project's images are recorded: who reads which of their
bytes, whoever that is. Without a verb it tells how it is. What is recorded is read with
daguerre history IMAGE --downloads.

  on, off           whatever the setting record-downloads is
  default           as that setting is
  --project ID      the project that owns the images

Once it is answered every gateway goes by it.

${settingsHelp()}
`;

/** Longest wait for gateways to know it, and for the log. */
const patienceMs = 15_000;

const choices: readonly string[] = ['on', 'off', 'default'] satisfies readonly RecordingChoice[];
const isChoice = (word: string | undefined): word is RecordingChoice =>
  word !== undefined && choices.includes(word);

export const downloadsCommand: Command = {
  name: 'downloads',
  summary: "whether downloads of a project's images are recorded",
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const [first, ...others] = args;
    const to = isChoice(first) ? first : undefined;
    const { projectId, settings } = projectIn(to === undefined ? args : others);
    const config = configFrom(settings, environment);
    const choice = await withDatabases(config, (databases) =>
      to === undefined ? choiceOf(databases, projectId) : choose(databases, projectId, to),
    );
    const byDefault = config['record-downloads'];
    process.stdout.write(`${choice === 'default' ? `default (${byDefault})` : choice}\n`);
    return 0;
  },
};

function projectIn(args: readonly string[]): { projectId: string; settings: readonly string[] } {
  const at = args.indexOf('--project');
  const projectId = args[at + 1];
  if (at < 0 || projectId === undefined || projectId === '')
    throw new UsageError('it is: daguerre downloads [on | off | default] --project ID');
  return { projectId, settings: args.filter((_, index) => index !== at && index !== at + 1) };
}

async function choiceOf({ eventLogUrl }: Databases, projectId: string): Promise<RecordingChoice> {
  const events = await openEventLog(eventLogUrl, { log: logger('cli', 'warn'), upcast });
  try {
    return choiceIn(await events.readStream(recordingStream(projectId)));
  } finally {
    await events.close();
  }
}

async function choose(
  databases: Databases,
  projectId: string,
  to: RecordingChoice,
): Promise<RecordingChoice> {
  const { eventLogUrl, postgresUrl } = databases;
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const pool = postgresPool(postgresUrl, { log, max: 2 });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log, max: 1 });
  const events = await openEventLog(eventLogUrl, { log, upcast });
  try {
    const personal = await personalRecords(besideLog).remember(operatorOf('daguerre downloads'));
    const position = await append(events, projectId, to, personal);
    if (await anyGateway(pool)) await knownToAll(pool, postgresUrl, position);
    return to;
  } finally {
    await events.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}

async function append(
  log: EventLog,
  projectId: string,
  to: RecordingChoice,
  personal: string,
): Promise<bigint> {
  const handle = commandHandler(recordingChoice, { log, eventId, schemaVersions: {}, pause });
  const correlationId = randomUUID();
  const metadata = {
    actor: { kind: 'system', part: 'cli' },
    ...{ requestId: `req-${correlationId}`, correlationId, personal },
  } as const;
  const context = { commandId: correlationId, metadata };
  const command = { type: 'SetDownloadRecording', to } as const;
  const stream = recordingStream(projectId);
  const { position } = await handle(stream, command, context, AbortSignal.timeout(patienceMs));
  return position;
}

/** As a gateway waits before it answers. */
async function knownToAll(pool: Pool, postgresUrl: string, position: bigint): Promise<void> {
  const log = logger('cli', 'warn');
  const shown = visible(pool, postgresUrl, { log, models: answeredFrom });
  const others = nearHolder(pool, postgresUrl, {
    owner: `cli-${randomUUID()}`,
    model: imagesProjection.name,
    heard: 0n,
    holds: false,
    onSwap: () => {},
    log,
  });
  try {
    await shown.waitFor(position, patienceMs);
    await others.waitFor(position, patienceMs);
  } catch (error) {
    throw new Error('it is recorded, but gateways may take a while to go by it', { cause: error });
  } finally {
    await others.stop();
    await shown.close();
  }
}

async function anyGateway(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query(`
    select from heartbeats
    where part = 'gateway' and beat >= 0 and beaten_at > now() - interval '10 seconds'
    limit 1`);
  return rows.length > 0;
}
