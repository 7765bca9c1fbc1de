import { randomUUID } from 'node:crypto';
import type { CommandContext } from '../../domain/command-handler.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { Refused } from '../../domain/refused.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { handleImage } from '../handle-image.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { operatorOf } from './operator.ts';

const deadlineMs = 30_000;

/** Each by itself: one that cannot be restored keeps no other from it. Gives how many could not. */
export async function restoreImages(
  databases: Databases,
  images: readonly string[],
): Promise<number> {
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
