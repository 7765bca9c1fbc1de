import { upcast } from '../../domain/image/upcast.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { type RebuildProgress, rebuild } from '../../infra/read-model/rebuild.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Projection } from '../../projections/projection.ts';
import { logUnprojectable } from '../log-unprojectable.ts';
import { type Databases, migrateAll } from '../migrations.ts';
import { projections } from '../projector/projections.ts';
import { asksForHelp, type Command, UsageError } from './command.ts';
import { withDatabases } from './database.ts';

const usage = `Usage: daguerre rebuild [MODEL...] [FLAGS]

Makes read models again from the event log, beside the live ones, and swaps each in when
it has caught up. Clients notice nothing. Interrupted, it leaves the live ones as they are.

  MODEL             which ones: ${projections.map(({ name }) => name).join(', ')} [all]

${settingsHelp()}
`;

export const rebuildCommand: Command = {
  name: 'rebuild',
  summary: 'make read models again from the log, beside the live ones',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const firstFlag = args.findIndex((arg) => arg.startsWith('-'));
    const names = firstFlag < 0 ? args : args.slice(0, firstFlag);
    const wanted = names.length === 0 ? projections : names.map(modelNamed);
    const config = configFrom(args.slice(names.length), environment);
    const stop = new AbortController();
    process.once('SIGINT', () =>
      stop.abort(new Error('interrupted; the live read model is as it was')),
    );
    await withDatabases(config, (databases) => rebuildAll(wanted, databases, stop.signal));
    return 0;
  },
};

function modelNamed(name: string): Projection<object> {
  const found = projections.find((projection) => projection.name === name);
  if (found !== undefined) return found;
  const known = projections.map((projection) => projection.name).join(', ');
  throw new UsageError(`there is no read model ${name}; there are: ${known}`);
}

/** One after the other, each swapped in when it has caught up. */
export async function rebuildAll(
  wanted: readonly Projection<object>[],
  databases: Databases,
  signal: AbortSignal,
): Promise<void> {
  const log = logger('cli', 'warn');
  await migrateAll(databases, log);
  const pool = postgresPool(databases.postgresUrl, { log, max: 4 });
  const events = await openEventLog(databases.eventLogUrl, { log, upcast });
  try {
    for (const projection of wanted) {
      const done = await rebuild({
        projection,
        pool,
        log: events,
        signal,
        onUnprojectable: (event, error) => logUnprojectable(log, event, error),
        onProgress: showProgress(projection.name),
      });
      process.stdout.write(
        `${projection.name}: rebuilt from ${done.events} events, ${done.eventsPerSecond} a second, live at position ${done.position}\n`,
      );
    }
  } finally {
    await events.close();
    await pool.end();
  }
}

/** On a terminal one line that is written over, elsewhere a line every few seconds. */
function showProgress(model: string): (progress: RebuildProgress) => void {
  const everyMs = process.stderr.isTTY ? 100 : 5_000;
  let shown = performance.now();
  return ({ events, eventsPerSecond, position, head, phase }) => {
    if (performance.now() - shown < everyMs) return;
    shown = performance.now();
    const line = `${model}, ${phase}: ${events} events, ${eventsPerSecond}/s, position ${position} of ${head}`;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  };
}
