import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { keepTree } from '../../apps/audit/keep.ts';
import { ownCheckpoint } from '../../apps/audit/own-checkpoint.ts';
import type { EventLog, NewEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type BundlePorts, logBundle } from '../../infra/audit/bundle.ts';
import {
  type AuditMemory,
  postgresAuditMemory,
  type SignedHead,
} from '../../infra/audit/memory.ts';
import { auditMemoryMigrations, auditTreeMigrations } from '../../infra/audit/migrations.ts';
import { proofsFrom } from '../../infra/audit/proofs.ts';
import { postgresTreeStore, type TreeStore } from '../../infra/audit/tree-store.ts';
import { lowestPosition } from '../../infra/event-log/open.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { personalMigrations } from '../../infra/personal/migrations.ts';
import { type TestDatabase, testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';

export const origin = 'example.com/audit';

/** A log in Postgres with its audit tree, and no more of the system. */
export interface Site {
  readonly database: TestDatabase;
  readonly log: EventLog;
  readonly store: TreeStore;
  readonly memory: AuditMemory;
  readonly ports: BundlePorts;
  readonly keyFile: string;
  readonly directory: string;
  /** Appends so many events to streams of an image each, three a stream. */
  append(count: number): Promise<void>;
  appendTo(streamId: string, events: readonly NewEvent[], expected?: number): Promise<bigint>;
  /** Keeps the tree until what is returned is called; of another log than this one's, where one is named. */
  keep(other?: EventLog): () => Promise<void>;
  /** The newest checkpoint, once there is one of this size; nothing keeps the tree after that. */
  signed(size: number, other?: EventLog): Promise<SignedHead>;
  /** Runs SQL on the table of events as somebody who may do anything. */
  tamper(sql: string, values?: readonly unknown[]): Promise<void>;
  /** The lines of a bundle of the whole log, as it is now. */
  bundle(head: SignedHead): Promise<readonly string[]>;
  /** Public keys, the first first. */
  keys(): Promise<readonly string[]>;
}

export const fact = (data: JsonObject = { tag: randomUUID() }, type = 'TagAdded'): NewEvent => ({
  id: randomUUID(),
  type,
  schemaVersion: 1,
  data,
  metadata: {
    actor: { kind: 'user', userId: 'alice', projectId: 'red', roles: ['member'] },
    requestId: `req-${randomUUID()}`,
    causationId: randomUUID(),
    correlationId: randomUUID(),
  },
});

export async function auditSite(t: TestContext): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-audit-'));
  const database = await testDatabase([
    ...eventLogMigrations,
    ...personalMigrations,
    ...auditMemoryMigrations,
    ...auditTreeMigrations,
  ]);
  const log = postgresEventLog(database.url, { log: silent, upcast: (event) => event });
  const store = postgresTreeStore(database.pool);
  const memory = postgresAuditMemory(database.pool);
  const keyFile = join(directory, 'audit', 'key');
  const keepers = new Set<() => Promise<void>>();
  t.after(async () => {
    await Promise.all([...keepers].map((stop) => stop()));
    await log.close();
    await database.drop();
    await rm(directory, { recursive: true, force: true });
  });

  const keep: Site['keep'] = (other = log) => {
    const stopping = new AbortController();
    const keeping = keepTree({
      log: other,
      store,
      memory,
      own: ownCheckpoint(join(directory, 'audit', 'checkpoint'), silent),
      signing: { memory, keyFile, origin },
      lease: { tryHold: async () => true, release: async () => {} },
      logger: silent,
      everyMs: 10,
      stopping: stopping.signal,
    });
    const stop = async (): Promise<void> => {
      stopping.abort();
      await keeping;
      keepers.delete(stop);
    };
    keepers.add(stop);
    return stop;
  };
  const ports = {
    log,
    store,
    proofs: proofsFrom(store),
    memory,
    lowest: lowestPosition(database.url),
  };
  const appendTo: Site['appendTo'] = (streamId, events, expected = -1) =>
    log.append(streamId, events, expected);

  return {
    ...{ database, log, store, memory, ports, keyFile, directory, appendTo, keep },
    async append(count) {
      const appends: Promise<unknown>[] = [];
      for (let left = count; left > 0; left -= 3) {
        const events = Array.from({ length: Math.min(left, 3) }, () => fact());
        appends.push(appendTo(`image-${randomUUID()}`, events));
      }
      await Promise.all(appends);
    },
    async signed(size, other = log) {
      const stop = keep(other);
      try {
        return await until(`a checkpoint of ${size}`, async () => {
          const head = await memory.newest();
          return head?.size === size ? head : undefined;
        });
      } finally {
        await stop();
      }
    },
    async tamper(sql, values = []) {
      await database.pool.query('alter table events disable trigger events_never_change');
      await database.pool.query(sql, [...values]);
      await database.pool.query('alter table events enable trigger events_never_change');
    },
    async bundle(head) {
      const lines: string[] = [];
      for await (const line of logBundle(ports, head)) lines.push(line);
      return lines;
    },
    keys: async () => (await memory.keys()).map(({ verifierKey }) => verifierKey),
  };
}
