import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Manifest, requireManifest } from '../../infra/backup/manifest.ts';
import { type Taken, takeBackup } from '../../infra/backup/take.ts';
import { verifyBackup } from '../../infra/backup/verify.ts';
import { type Config, configFrom, settingsHelp } from '../../infra/config/config.ts';
import { besideLogUrl, lowestPosition, openEventLog } from '../../infra/event-log/open.ts';
import { unlessMissing } from '../../infra/files/files.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { storesOf } from '../../infra/store/stores.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { keyFileOf } from '../audit/part.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { interruption, progressLine } from './progress-line.ts';
import { wordsAndFlags } from './words-and-flags.ts';

const usage = `Usage: daguerre backup DIR [--bytes] [FLAGS]
       daguerre backup verify DIR [--key KEY]

Writes the log and what lies beside it into a directory, while everything runs: events,
personal records, checkpoints, the keys that sign, secrets of webhooks. Run again, it adds
what is new since; what was erased meanwhile is then in the backup no more. The events are
held to the signed checkpoints on the way. daguerre restore DIR brings it back. Read models,
queues and staging are not in it: they are made again, or end as failed uploads.

  DIR               a directory of its own; it will hold secrets, and is made for its owner alone
  --bytes           the bytes of images, too; a backup that has them goes on to
  verify            reads every byte, and holds the events to all that was signed; ends with 1,
                    and says where, if anything differs. Needs nothing but DIR. Names files in
                    it that are no part of the backup, which is no difference
  --key KEY         a public key that you trust, as daguerre audit key gives it [those in DIR]

${settingsHelp()}
`;

const argumentsFrom = wordsAndFlags({ valued: ['key'], switches: ['bytes'] });

export const backupCommand: Command = {
  name: 'backup',
  summary: 'write the log, and the bytes, into a directory; or add what is new since',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const given = argumentsFrom(args);
    const [first, second, ...rest] = given.words;
    const isVerify = first === 'verify';
    const directory = isVerify ? second : first;
    if (directory === undefined || rest.length > 0 || (!isVerify && second !== undefined))
      throw new UsageError('say which directory, and only one; --help tells more');
    if (isVerify) return verify(resolve(directory), given.all('key'));
    if (given.all('key').length > 0) throw new UsageError('--key is for verify');
    const config = configFrom(given.settings, environment);
    return withDatabases(config, (databases) =>
      backup(config, databases, resolve(directory), given.has('bytes')),
    );
  },
};

async function backup(
  config: Config,
  databases: Databases,
  directory: string,
  bytes: boolean,
): Promise<number> {
  const signal = interruption(`interrupted; the backup in ${directory} is as it was before`);
  const { eventLogUrl, postgresUrl } = databases;
  const quiet = logger('cli', 'warn');
  await migrateAll(databases, quiet);
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log: quiet, max: 2 });
  const log = await openEventLog(eventLogUrl, { log: quiet, upcast: (event) => event });
  try {
    const taken = await takeBackup(
      {
        log,
        besideLog,
        lowest: lowestPosition(eventLogUrl),
        signingKey: () => unlessMissing(readFile(keyFileOf(config), 'utf8')),
        stores: storesOf(config),
      },
      directory,
      { bytes, signal, onProgress: progressLine('backup') },
    );
    process.stdout.write(told(directory, taken));
    const missing = taken.manifest.objects?.missing ?? [];
    for (const one of missing) process.stderr.write(`not in the backup: ${one}\n`);
    return missing.length === 0 ? 0 : 1;
  } finally {
    await log.close();
    await besideLog.end();
  }
}

function told(directory: string, { manifest, newEvents, newObjects }: Taken): string {
  const { log, checkpoint, objects, signingKey } = manifest;
  const signed =
    checkpoint === null
      ? 'nothing of it has been signed yet'
      : `as the checkpoint of ${checkpoint.size} events says`;
  return [
    `${directory}: ${log.events} events up to position ${log.events === 0 ? 0 : log.position}, ${newEvents} of them new; ${signed}`,
    ...(objects === null
      ? []
      : [`  bytes of ${objects.count} objects, ${objects.bytes} bytes, ${newObjects} of them new`]),
    secretsOf(manifest, signingKey !== null),
    '',
  ].join('\n');
}

const secretsOf = ({ beside }: Manifest, hasKey: boolean): string =>
  `  keep it secret: it holds ${beside.personal_records?.rows ?? 0} personal records, ${beside.webhook_secrets?.rows ?? 0} secrets of webhooks${hasKey ? ', and the key that signs checkpoints' : ''}`;

async function verify(directory: string, keys: readonly string[]): Promise<number> {
  const manifest = await requireManifest(directory);
  const signal = interruption('interrupted');
  const onProgress = progressLine('verify');
  const { findings, events, signed, objects, strays } = await verifyBackup(directory, manifest, {
    keys,
    signal,
    onProgress,
  });
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  for (const stray of strays) process.stdout.write(`not part of the backup: ${stray}\n`);
  process.stdout.write(
    findings.length === 0
      ? `verified: ${events} events, ${signed} of them signed, ${objects} objects, of ${manifest.takenAt}\n`
      : `NOT verified: ${directory}\n`,
  );
  return findings.length === 0 ? 0 : 1;
}
