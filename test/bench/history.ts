import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { usualTimes } from '../../infra/near/others.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { newEvent, plain } from '../projections/recorded.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { atConcurrency, drained, type Rate, sender } from './load.ts';

export interface HistoryFigures {
  readonly events: number;
  /** No answer is in memory, of the present or of the past. */
  readonly firstAsked: Compared;
  /** The same was asked before, of both. */
  readonly askedBefore: Compared;
  /** One page of one image's changes. */
  readonly changes: Rate;
  /** Of the read model's tables and indexes, by event. */
  readonly bytesPerEvent: number;
  readonly bytesOf: Readonly<Record<string, number>>;
  readonly rebuildPerSecond: number;
}

/** What is asked of the present, and the same of the past. */
export interface Compared {
  readonly live: Asked;
  /** The slowest over the positions, each by its p50. */
  readonly asOf: Asked;
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

interface Counts {
  readonly images: number;
  readonly questions: number;
}

/** A system of its own: first one that keeps no answers in memory, then one that does as by default. */
export async function measureHistory(counts: Counts): Promise<HistoryFigures> {
  const dataDir = await mkdtemp(join(tmpdir(), 'bench-history-'));
  const onSite = async <Result>(
    args: readonly string[],
    work: (site: { readonly url: string; readonly postgresUrl: string }) => Promise<Result>,
  ): Promise<Result> => {
    const daguerre = await startDaguerre({ dataDir, args: ['--log-level', 'warn', ...args] });
    try {
      return await work(daguerre);
    } finally {
      await daguerre.stop();
    }
  };
  try {
    const { seeded, firstAsked } = await onSite(
      ['--answer-cache-mib', '0'],
      async ({ postgresUrl, url }) => {
        const seeded = await seed(postgresUrl, counts.images);
        await compared(url, seeded, 50); // plans and caches are warm
        return { seeded, firstAsked: await compared(url, seeded, counts.questions) };
      },
    );
    return await onSite([], async ({ postgresUrl, url }) => {
      // Only then does a gateway answer from memory what is.
      await delay(usualTimes.settleMs + usualTimes.trustMs);
      return {
        events: seeded.events,
        firstAsked,
        askedBefore: await compared(url, seeded, counts.questions, 2),
        changes: await changesOf(url, seeded.images, counts.questions),
        ...(await sizes(postgresUrl, seeded.events)),
        rebuildPerSecond: await rebuilt(dataDir),
      };
    });
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

interface Seeded {
  readonly images: readonly string[];
  /** The last position of each round of changes. */
  readonly ends: readonly bigint[];
  readonly events: number;
}

async function seed(postgresUrl: string, count: number): Promise<Seeded> {
  const log = postgresEventLog(postgresUrl, { log: silent, upcast });
  const pool = postgresPool(postgresUrl, { log: silent, max: 2 });
  const models = [imagesProjection.name, historyProjection.name];
  const shown = visible(pool, postgresUrl, { log: silent, models });
  try {
    const images = Array.from({ length: count }, () => randomUUID());
    const ends: bigint[] = [];
    for (let step = 0; step < livesOf(0).length; step += 1) {
      await atConcurrency(writers, images.length, async (index) => {
        const fact = livesOf(index)[step];
        if (fact === undefined) return;
        await log.append(`image-${images[index]}`, [newEvent(fact, randomUUID())], step - 1);
      });
      ends.push(await log.head());
    }
    await shown.waitFor(await log.head(), patienceMs);
    await pool.query('vacuum (analyze)');
    return { images, ends, events: Number(await log.head()) };
  } finally {
    await shown.close();
    await log.close();
    await pool.end();
  }
}

/** All questions, each side asked in turn `rounds` times; the last round counts. */
async function compared(
  url: string,
  { images, ends }: Seeded,
  count: number,
  rounds = 1,
): Promise<Compared> {
  const { send, close } = sender(url, concurrency);
  const asked = async (base: string, then: string): Promise<Asked> => {
    const rates: Partial<Record<keyof Asked, Rate>> = {};
    for (const [what, pathOf] of Object.entries(questions))
      for (let round = 0; round < rounds; round += 1)
        rates[what as keyof Asked] = await atConcurrency(concurrency, count, async (index) => {
          const id = images[(4 * 7919 * index) % images.length] ?? '';
          await drained(
            await send(200, 'GET', `${base}${pathOf(id, index)}${then}`, undefined, callers),
          );
        });
    return rates as Asked;
  };
  try {
    const live = await asked('/v2', '');
    const past: Asked[] = [];
    for (const position of ends)
      past.push(await asked('/history/v1', `as_of_position=${position}`));
    return { live, asOf: slowest(past) };
  } finally {
    close();
  }
}

async function changesOf(url: string, images: readonly string[], count: number): Promise<Rate> {
  const { send, close } = sender(url, concurrency);
  try {
    return await atConcurrency(concurrency, count, async (index) =>
      drained(
        await send(200, 'GET', `/history/v1/images/${images[(7919 * index) % images.length]}`),
      ),
    );
  } finally {
    close();
  }
}

async function sizes(
  postgresUrl: string,
  events: number,
): Promise<Pick<HistoryFigures, 'bytesOf' | 'bytesPerEvent'>> {
  const pool = postgresPool(postgresUrl, { log: silent, max: 1 });
  try {
    const { rows } = await pool.query<{ name: string; bytes: number }>(`
      select relname as name, pg_total_relation_size(oid)::float8 as bytes
      from pg_class
      where relnamespace = (
          select ('history_' || number)::regnamespace from read_model.generation
          where model = 'history' and state = 'live'
        )
        and relkind = 'r'`);
    const bytesOf = Object.fromEntries(rows.map(({ name, bytes }) => [name, bytes / events]));
    return {
      bytesOf,
      bytesPerEvent: Object.values(bytesOf).reduce((sum, bytes) => sum + bytes, 0),
    };
  } finally {
    await pool.end();
  }
}

/** As an operator does it, beside the running service. */
async function rebuilt(dataDir: string): Promise<number> {
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
