import { randomUUID } from 'node:crypto';
import type { CommandContext } from '../../domain/command-handler.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { Refused } from '../../domain/refused.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { handleImage } from '../handle-image.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { operatorOf } from './operator.ts';

const usage = `Usage: daguerre restore IMAGE... [FLAGS]

Brings deleted images back as they were, with their bytes, members and properties. It
can do so until the time that daguerre deleted shows. The log keeps who did it.

  IMAGE             id of an image

${settingsHelp()}
`;

const deadlineMs = 30_000;

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'bring deleted images back, while their bytes are kept',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const firstFlag = args.findIndex((arg) => arg.startsWith('-'));
    const images = firstFlag < 0 ? args : args.slice(0, firstFlag);
    if (images.length === 0) throw new UsageError('say which images, by id; --help tells more');
    const config = configFrom(args.slice(images.length), environment);
    const refused = await withDatabases(config, (databases) => restoreAll(databases, images));
    return refused === 0 ? 0 : 1;
  },
};

/** Each by itself: one that cannot be restored keeps no other from it. Gives how many could not. */
async function restoreAll(databases: Databases, images: readonly string[]): Promise<number> {
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const { postgresUrl, eventLogUrl } = databases;
  const pool = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log, max: 1 });
  const events = await openEventLog(eventLogUrl, { log, upcast });
  const handle = handleImage(events);
  let refused = 0;
  try {
    const personal = await personalRecords(pool).remember(operatorOf('daguerre restore'));
    for (const image of images)
      try {
        await handle(
          `image-${image.toLowerCase()}`,
          { type: 'RestoreImage' },
          contextOf(personal),
          AbortSignal.timeout(deadlineMs),
        );
        process.stdout.write(`${image}: restored\n`);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused += 1;
        process.stderr.write(`${image}: ${error.message}\n`);
      }
  } finally {
    await events.close();
    await pool.end();
  }
  return refused;
}

function contextOf(personal: string): CommandContext {
  const correlationId = randomUUID();
  return {
    commandId: randomUUID(),
    metadata: {
      actor: { kind: 'system', part: 'cli' },
      requestId: `req-${correlationId}`,
      correlationId,
      personal,
    },
  };
}
