import { upcast } from '../../domain/image/upcast.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { type RebuildProgress, rebuild } from '../../infra/read-model/rebuild.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { logUnprojectable } from '../log-unprojectable.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { asksForHelp, type Command } from './command.ts';
import { withDatabases } from './database.ts';

const usage = `Usage: daguerre rebuild [FLAGS]

Makes the read model again from the event log, beside the live one, and swaps it in when
it has caught up. Clients notice nothing. Interrupted, it leaves the live one as it was.

${settingsHelp()}
`;

export const rebuildCommand: Command = {
  name: 'rebuild',
  summary: 'make the read model again from the log, beside the live one',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const config = configFrom(args, environment);
    const stop = new AbortController();
    process.once('SIGINT', () =>
      stop.abort(new Error('interrupted; the live read model is as it was')),
    );
    const done = await withDatabases(config, (databases) => rebuildImages(databases, stop.signal));
    process.stdout.write(
      `rebuilt from ${done.events} events, ${done.eventsPerSecond} a second, live at position ${done.position}\n`,
    );
    return 0;
  },
};

async function rebuildImages(databases: Databases, signal: AbortSignal): Promise<RebuildProgress> {
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const pool = postgresPool(databases.postgresUrl, { log, max: 4 });
  const events = postgresEventLog(databases.eventLogUrl, { log, upcast });
  try {
    return await rebuild({
      projection: imagesProjection,
      pool,
      log: events,
      signal,
      onUnprojectable: (event, error) => logUnprojectable(log, event, error),
      onProgress: showProgress(),
    });
  } finally {
    await events.close();
    await pool.end();
  }
}

/** On a terminal one line that is written over, elsewhere a line every few seconds. */
function showProgress(): (progress: RebuildProgress) => void {
  const everyMs = process.stderr.isTTY ? 100 : 5_000;
  let shown = performance.now();
  return ({ events, eventsPerSecond, position, head, phase }) => {
    if (performance.now() - shown < everyMs) return;
    shown = performance.now();
    const line = `${phase}: ${events} events, ${eventsPerSecond}/s, position ${position} of ${head}`;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  };
}
