import type { Pool } from 'pg';
import { upcast } from '../../domain/image/upcast.ts';
import type { JsonObject } from '../../domain/json.ts';
import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { besideLogUrl, openEventLog } from '../../infra/event-log/open.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { type ChangeRecord, changeFrom, changeRow } from '../../projections/history/change.ts';
import { fold, type HistoryEntry } from '../../projections/history/fold.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import { changeDocument } from '../gateway/history/documents.ts';
import type { Databases } from '../migrations.ts';
import { asksForHelp, type Command, switches, UsageError } from './command.ts';
import { withDatabases } from './database.ts';
import { downloadLines, downloadsOf } from './history-downloads.ts';
import { timeline } from './history-timeline.ts';

const usage = `Usage: daguerre history IMAGE [--downloads] [--json] [FLAGS]

Prints everything that ever happened to an image, deleted or not: when, by whom and from
where, allowed by which rule, and what it changed; attempts that were refused among it.
Changes come from the log itself, refused attempts from the read model of history.

  IMAGE             its id
  --downloads       who read which of its bytes when instead, as far as that was recorded
  --json            the documents of GET /history/v1/images/{id} (or .../downloads)

${settingsHelp()}
`;

const auditor = { projectId: null, seesAll: true, isReadable: () => true };

export const historyCommand: Command = {
  name: 'history',
  summary: 'what ever happened to an image, by whom, by which rule and from where',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const { rest, given } = switches(args, ['json', 'downloads']);
    const [imageId, ...settings] = rest;
    if (imageId === undefined || imageId.startsWith('-'))
      throw new UsageError('it is: daguerre history IMAGE [--downloads] [--json]');
    const config = configFrom(settings, environment);
    if (given.downloads) {
      const downloads = await withDatabases(config, (databases) =>
        downloadsOf(imageId.toLowerCase(), databases, {
          leaseMs: config['lease-ms'],
          keepDays: config['download-history-days'],
        }),
      );
      process.stdout.write(
        given.json ? `${JSON.stringify(downloads, undefined, 2)}\n` : downloadLines(downloads),
      );
      return 0;
    }
    const documents = await withDatabases(config, (databases) =>
      historyOf(imageId.toLowerCase(), databases),
    );
    if (documents.length === 0) throw new Error(`there never was an image ${imageId}`);
    process.stdout.write(
      given.json ? `${JSON.stringify(documents, undefined, 2)}\n` : timeline(documents),
    );
    return 0;
  },
};

async function historyOf(
  imageId: string,
  { eventLogUrl, postgresUrl }: Databases,
): Promise<readonly JsonObject[]> {
  const log = logger('cli', 'warn');
  const pool = postgresPool(postgresUrl, { log, max: 1 });
  const besideLog = postgresPool(besideLogUrl(eventLogUrl, postgresUrl), { log, max: 1 });
  const events = await openEventLog(eventLogUrl, { log, upcast });
  try {
    const changes: ChangeRecord[] = [];
    let entry: HistoryEntry = {};
    for (const event of (await events.readStream(`image-${imageId}`)).events) {
      const row = changeRow(entry, event);
      if (row !== undefined) changes.push(changeFrom(row));
      entry = fold(entry, event);
    }
    if (changes.length === 0) return [];
    changes.push(...(await refusedAttempts(pool, imageId)));
    changes.sort((one, other) => (one.position < other.position ? -1 : 1));
    const hashes = changes.flatMap(({ metadata }) => metadata.personal ?? []);
    const persons = await peopleIn(besideLog).behind(hashes);
    return changes.map((change) => changeDocument(change, auditor, persons));
  } finally {
    await events.close();
    await Promise.all([pool.end(), besideLog.end()]);
  }
}

async function refusedAttempts(pool: Pool, imageId: string): Promise<readonly ChangeRecord[]> {
  const history = historyQueries(pool);
  const filter = { object: imageId, refused: true };
  const upTo = await history.checkpoint();
  const found: ChangeRecord[] = [];
  for (let after = 0n; after < upTo; ) {
    const asked = { viewer: auditor, filter, after, upTo, limit: 1_000 };
    const { changes, next } = await history.page(asked);
    found.push(...changes);
    after = next;
  }
  return found;
}
