import { randomUUID } from 'node:crypto';
import type { ClientBase, Pool } from 'pg';
import { type LogRestored, restoreStream, resumedAt } from '../../domain/audit/restoring.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { eventId } from '../event-id.ts';
import { allQuery, asText, type Row, recordedEvent } from '../event-log/postgres/rows.ts';
import { type Person, personalRecords } from '../personal/records.ts';
import { inTransaction } from '../read-model/generation.ts';
import { besideTables, restoreBeside } from './beside.ts';
import { headsIn } from './checkpoints.ts';
import { segmentEvents } from './events.ts';
import type { Manifest } from './manifest.ts';
import type { BackupProgress } from './progress.ts';
import { NotAsSigned, signedTree } from './signed-tree.ts';

/** There is something already where a backup is to be restored; the message says what to do. */
export class RestoreRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RestoreRefused';
  }
}

export interface RestoreLogOptions {
  readonly operator: Person;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
  /** Last of all before the commit: what must be there when the log is. */
  readonly beforeCommit: () => Promise<void>;
}

const batchEvents = 1_000;
const lockTimeout = '10s';

/**
 * Brings the log back, and what lies beside it, in one transaction: who is interrupted leaves nothing, and begins again.
 * The events are read again from where they were written, and held to all that was signed of them, before it is committed.
 * `pool` must give times in UTC and as ISO 8601.
 */
export const restoreLog = (
  pool: Pool,
  directory: string,
  manifest: Manifest,
  options: RestoreLogOptions,
): Promise<void> =>
  inTransaction(pool, async (client) => {
    const tables = [
      'event_heads',
      'event_counter',
      'events',
      ...besideTables.map(({ name }) => name),
    ];
    await client.query(`set local lock_timeout = '${lockTimeout}'`);
    await client.query(`lock table ${tables.join(', ')} in exclusive mode`);
    await requireEmpty(client);
    await writeEvents(client, directory, manifest, options);
    await restoreBeside(client, directory, manifest);
    await requireRoot(client, directory, manifest, options.signal);
    await record(client, manifest, options.operator);
    await options.beforeCommit();
    options.signal.throwIfAborted();
  });

/** Throws `RestoreRefused` where anything is there that a restore would meet. */
export async function requireEmpty(client: Pick<ClientBase, 'query'>): Promise<void> {
  for (const name of ['events', ...besideTables.map((table) => table.name)]) {
    const { rowCount } = await client.query(`select from ${name} limit 1`);
    if (rowCount !== 0)
      throw new RestoreRefused(
        `the database is not empty: there are rows in ${name}. A backup is restored into a new database (--postgres-url) or a new data directory (--data-dir)`,
      );
  }
}

const columns =
  'position, stream_id, revision, id, type, schema_version, recorded_at, data, metadata';

async function writeEvents(
  client: ClientBase,
  directory: string,
  { segments, log }: Manifest,
  { signal, onProgress }: RestoreLogOptions,
): Promise<void> {
  let done = 0;
  for (const segment of segments) {
    const events = await segmentEvents(directory, segment);
    for (let at = 0; at < events.length; at += batchEvents) {
      signal.throwIfAborted();
      const batch = events.slice(at, at + batchEvents);
      await insert(client, batch);
      done += batch.length;
      const position = batch.at(-1)?.position ?? 0n;
      onProgress({ what: 'events', done, position, upTo: BigInt(log.position) });
    }
  }
  await client.query(`
    insert into event_heads (stream_id, revision)
    select stream_id, max(revision) from events group by stream_id`);
}

const insert = (client: ClientBase, events: readonly RecordedEvent[]) =>
  client.query({
    name: 'restore-events',
    text: `
      insert into events (${columns})
      select position, stream_id, revision, id, type, schema_version, recorded_at, data::jsonb, metadata::jsonb
      from unnest(
        $1::bigint[], $2::text[], $3::integer[], $4::uuid[], $5::text[], $6::integer[],
        $7::timestamptz[], $8::text[], $9::text[]
      ) as e (${columns})`,
    values: [
      events.map(({ position }) => String(position)),
      events.map(({ streamId }) => streamId),
      events.map(({ revision }) => revision),
      events.map(({ id }) => id),
      events.map(({ type }) => type),
      events.map(({ schemaVersion }) => schemaVersion),
      events.map(({ recordedAt }) => recordedAt.toISOString()),
      events.map(({ data }) => JSON.stringify(data)),
      events.map(({ metadata }) => JSON.stringify(metadata)),
    ],
  });

const readBytes = 8 * 1024 * 1024;
const lowest = -(2n ** 63n);

/** What was written, read again as every reader of the log reads it. */
async function requireRoot(
  client: ClientBase,
  directory: string,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const tree = signedTree(await headsIn(directory, manifest));
  for (let last = lowest; ; ) {
    signal.throwIfAborted();
    const { rows } = await client.query<Row & unknown[]>({
      text: allQuery,
      values: [String(last), batchEvents, readBytes],
      rowMode: 'array',
      types: asText,
    });
    const events = rows.map(recordedEvent);
    for (const event of events) tree.add(event);
    const newest = events.at(-1);
    if (newest === undefined) break;
    last = newest.position;
  }
  if (Buffer.from(tree.root()).toString('base64') !== manifest.log.root)
    throw new NotAsSigned('the log that was written is not the one in the backup');
}

/** Says in the log what it comes from, where it goes on. */
async function record(client: ClientBase, { log, takenAt }: Manifest, operator: Person) {
  const id = randomUUID();
  const { events, root } = log;
  const position = resumedAt(events === 0 ? 0n : BigInt(log.position));
  const fact: LogRestored = {
    type: 'LogRestored',
    data: { takenAt, events, position: events === 0 ? '0' : log.position, root },
  };
  const personal = await personalRecords(client).remember(operator);
  const restored: RecordedEvent = {
    ...fact,
    id: eventId(id, fact.type, 0),
    schemaVersion: 1,
    streamId: restoreStream(id),
    revision: 0,
    position,
    recordedAt: new Date(),
    metadata: {
      actor: { kind: 'system', part: 'cli' },
      requestId: `req-${id}`,
      causationId: id,
      correlationId: id,
      personal,
    },
  };
  await insert(client, [restored]);
  await client.query('insert into event_heads (stream_id, revision) values ($1, 0)', [
    restored.streamId,
  ]);
  await client.query('update event_counter set position = $1', [String(position)]);
}
