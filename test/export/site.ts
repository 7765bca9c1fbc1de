import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ExportPace, exportTo, usualPace } from '../../apps/export/export-to.ts';
import type { EventLog, NewEvent } from '../../domain/event-log.ts';
import { type ExportTarget, exportTargetList } from '../../infra/config/export-targets.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { type Cursors, postgresCursors } from '../../infra/export/cursors.ts';
import { exportMigrations } from '../../infra/export/migrations.ts';
import { openSink } from '../../infra/export/open-sink.ts';
import { personalMigrations } from '../../infra/personal/migrations.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import type { History } from '../../projections/history/history.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

export const quickPace = { ...usualPace, lookEveryMs: 10, firstPauseMs: 5, longestPauseMs: 50 };

/** As a configuration file says it, with every default. */
export const target = (said: object): ExportTarget => {
  const [first] = exportTargetList.parse([said]);
  if (first === undefined) throw new Error('no target');
  return first;
};

/** A history that is never behind and tells nothing: events say what they can. */
export const noHistory = (log: Pick<EventLog, 'head'>): History => ({
  page: async ({ upTo }) => ({ changes: [], next: upTo }),
  checkpoint: () => log.head(),
});

export const fact = (type = 'TagAdded', personal?: string): NewEvent => ({
  id: randomUUID(),
  type,
  schemaVersion: 1,
  data: { tag: `"quoted" \\ ] größer 𝄞 ${randomUUID()}` },
  metadata: {
    actor: { kind: 'user', userId: 'alice', projectId: 'red', roles: ['member'] },
    requestId: `req-${randomUUID()}`,
    rule: 'modify_image',
    causationId: randomUUID(),
    correlationId: randomUUID(),
    ...(personal === undefined ? {} : { personal }),
  },
});

/** A log in Postgres, the cursors beside it, and exporters in this process. */
export interface Site {
  readonly database: TestDatabase;
  readonly log: EventLog;
  readonly cursors: Cursors;
  readonly directory: string;
  /** Appends so many events to so many images, in turns. */
  append(count: number, images?: number): Promise<void>;
  /** Exports until what is returned is called; gives the lease up then. */
  start(target: ExportTarget, history?: History, pace?: Partial<ExportPace>): Exporting;
  /** Of the target's events that are in the log now: those that it must have, in order. */
  all(): Promise<readonly { readonly id: string; readonly streamId: string; position: bigint }[]>;
}

export interface Exporting {
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** `openLog`: a log elsewhere than in that Postgres. */
export async function exportSite(t: TestContext, openLog?: () => EventLog): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-export-'));
  const database = await testDatabase([
    ...eventLogMigrations,
    ...personalMigrations,
    ...exportMigrations,
  ]);
  const log =
    openLog?.() ?? postgresEventLog(database.url, { log: silent, upcast: (event) => event });
  const cursors = postgresCursors(database.pool);
  const stops = new Set<() => Promise<void>>();
  const revisions = new Map<string, number>();
  const streams: string[] = [];
  t.after(async () => {
    await Promise.all([...stops].map((stop) => stop()));
    await log.close();
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });

  return {
    ...{ database, log, cursors, directory },
    async append(count, images = 5) {
      while (streams.length < images) streams.push(`image-${randomUUID()}`);
      for (let at = 0; at < count; at += 1) {
        const stream = streams[at % images] ?? '';
        const revision = revisions.get(stream) ?? -1;
        await log.append(stream, [fact()], revision);
        revisions.set(stream, revision + 1);
      }
    },
    start(one, history = noHistory(log), pace = {}) {
      const stopping = new AbortController();
      const ended = exportTo(
        one,
        { tryHold: async () => true },
        {
          ...{ log, cursors, history },
          people: peopleIn(database.pool),
          open: (opened) => openSink(opened, { dataDir: directory, region: 'RegionOne' }),
          logger: silent,
          pace: { ...quickPace, ...pace },
          onExported() {},
        },
        stopping.signal,
      );
      const stop = async (): Promise<void> => {
        stopping.abort();
        await ended;
        stops.delete(stop);
      };
      stops.add(stop);
      return { ended, stop };
    },
    async all() {
      const events = [];
      for (let after = 0n; ; ) {
        const read = await log.readAll(after, 1_000);
        if (read.length === 0) return events;
        events.push(...read);
        after = read.at(-1)?.position ?? after;
      }
    },
  };
}

/** What came, each once, in the order of its first coming. */
export const collapsed = (ids: readonly string[]): readonly string[] => [...new Set(ids)];

/** A number from 0 up to `below`, the same series for the same seed (mulberry32). */
export function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
