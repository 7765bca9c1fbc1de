import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { newEvent, plain } from '../projections/recorded.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { atConcurrency, drained, type Rate, sender } from './load.ts';

/** What is asked of the present, and the same of the past. */
export interface HistoryFigures {
  readonly events: number;
  readonly live: Asked;
  /** The slowest over the positions, each by its p50. */
  readonly asOf: Asked;
  /** One page of one image's changes. */
  readonly changes: Rate;
  /** Of the read model's tables and indexes, by event. */
  readonly bytesPerEvent: number;
  readonly bytesOf: Readonly<Record<string, number>>;
  readonly rebuildPerSecond: number;
}

type Asked = Readonly<Record<keyof typeof questions, Rate>>;

const questions = {
  show: (id: string) => `/images/${id}?`,
  list: () => '/images?limit=25&',
  'list by name and tag': (_: string, index: number) =>
    `/images?limit=25&name=named-${index % 500}&tag=blue&`,
} as const;

const callers = { 'X-Auth-Token': 'alice:project-7:member' };
const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const writers = 256;
const concurrency = 4;
const patienceMs = 600_000;

/** What happens to each image; all go through it side by side, so that at any time most are as they are not any more. */
const livesOf = (index: number): readonly ImageEvent[] => [
  {
    type: 'ImageCreated',
    data: {
      ...plain,
      name: `image-${index}`,
      owner: `project-${index % 20}`,
      visibility: index % 4 === 0 ? 'public' : 'private',
      properties: { os_distro: 'debian', slot: String(index % 100) },
    },
  },
  { type: 'TagAdded', data: { tag: index % 2 === 0 ? 'blue' : 'green' } },
  {
    type: 'ImageUpdated',
    data: {
      changes: [{ field: 'name', from: `image-${index}`, to: `named-${index % 500}` }],
      properties: [{ property: 'os_version', from: null, to: '13' }],
    },
  },
  { type: 'ProtectionChanged', data: { from: false, to: true } },
  { type: 'TagAdded', data: { tag: 'tested' } },
  {
    type: 'ImageUpdated',
    data: { changes: [{ field: 'minRam', from: 0, to: 512 }], properties: [] },
  },
];

/** A system of its own. */
export async function measureHistory(counts: {
  readonly images: number;
  readonly questions: number;
}): Promise<HistoryFigures> {
  const daguerre = await startDaguerre({ args: ['--log-level', 'warn'] });
  const { postgresUrl, url } = daguerre;
  const log = postgresEventLog(postgresUrl, { log: silent, upcast });
  const pool = postgresPool(postgresUrl, { log: silent, max: 2 });
  const models = [imagesProjection.name, historyProjection.name];
  const shown = visible(pool, postgresUrl, { log: silent, models });
  const { send, close } = sender(url, concurrency);
  try {
    const images = Array.from({ length: counts.images }, () => randomUUID());
    const steps = livesOf(0).length;
    const ends: bigint[] = [];
    for (let step = 0; step < steps; step += 1) {
      await atConcurrency(writers, images.length, async (index) => {
        const fact = livesOf(index)[step];
        if (fact === undefined) return;
        await log.append(`image-${images[index]}`, [newEvent(fact, randomUUID())], step - 1);
      });
      ends.push(await log.head());
    }
    await shown.waitFor(await log.head(), patienceMs);
    await pool.query('vacuum (analyze)');
    const asked = async (base: string, then: string): Promise<Asked> => {
      const rates: Partial<Record<keyof Asked, Rate>> = {};
      for (const [what, pathOf] of Object.entries(questions))
        rates[what as keyof Asked] = await atConcurrency(
          concurrency,
          counts.questions,
          async (index) => {
            const id = images[(4 * 7919 * index) % images.length] ?? '';
            await drained(
              await send(200, 'GET', `${base}${pathOf(id, index)}${then}`, undefined, callers),
            );
          },
        );
      return rates as Asked;
    };
    await asked('/v2', ''); // plans and caches are warm
    const live = await asked('/v2', '');
    const positions = ends.map(String);
    const past: Asked[] = [];
    for (const position of positions)
      past.push(await asked('/history/v1', `as_of_position=${position}`));
    const changes = await atConcurrency(concurrency, counts.questions, async (index) =>
      drained(
        await send(200, 'GET', `/history/v1/images/${images[(7919 * index) % images.length]}`),
      ),
    );
    const { rows } = await pool.query<{ name: string; bytes: number }>(`
      select relname as name, pg_total_relation_size(oid)::float8 as bytes
      from pg_class
      where relnamespace = (
          select ('history_' || number)::regnamespace from read_model.generation
          where model = 'history' and state = 'live'
        )
        and relkind = 'r'`);
    const events = Number(await log.head());
    const bytesOf = Object.fromEntries(rows.map(({ name, bytes }) => [name, bytes / events]));
    return {
      events,
      live,
      asOf: slowest(past),
      changes,
      bytesPerEvent: Object.values(bytesOf).reduce((sum, bytes) => sum + bytes, 0),
      bytesOf,
      rebuildPerSecond: await rebuilt(daguerre),
    };
  } finally {
    close();
    await shown.close();
    await log.close();
    await pool.end();
    await daguerre.stop();
  }
}

/** As an operator does it, beside the running service. */
async function rebuilt({ dataDir }: Pick<Daguerre, 'dataDir'>): Promise<number> {
  const command = [cli, 'rebuild', 'history', '--data-dir', dataDir];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  const [, rate] = /events, (\d+) a second/.exec(stdout) ?? [];
  if (rate === undefined) throw new Error(`a rebuild that tells no figures: ${stdout}`);
  return Number(rate);
}

function slowest(all: readonly Asked[]): Asked {
  const entries = Object.keys(questions).map((what) => {
    const rates = all.map((asked) => asked[what as keyof Asked]);
    return [what, rates.reduce((one, other) => (other.p50Ms > one.p50Ms ? other : one))];
  });
  return Object.fromEntries(entries) as Asked;
}
