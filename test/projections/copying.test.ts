import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientBase, Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { copyIn } from '../../infra/postgres/copy-in.ts';
import type { Store } from '../../infra/read-model/changes.ts';
import { byCopy, RowsRefused } from '../../infra/read-model/copying.ts';
import {
  createGeneration,
  type Generation,
  type Queryable,
} from '../../infra/read-model/generation.ts';
import { putOff } from '../../infra/read-model/put-off.ts';
import { byStatement } from '../../infra/read-model/saving.ts';
import { applySparing } from '../../infra/read-model/sparing.ts';
import { Fenced, generationWriter } from '../../infra/read-model/writer.ts';
import type { Projection } from '../../projections/projection.ts';
import { testDatabase } from '../support/postgres.ts';
import { migrations } from './read-model.ts';
import { at, newEvent } from './recorded.ts';

const shape = {
  columns: {
    text: 'text',
    flag: 'boolean',
    big: 'bigint',
    small: 'integer not null',
    document: 'jsonb',
    verbatim: 'json',
    list: 'text[]',
    at: 'timestamptz(3)',
  },
  storage: 'fillfactor = 80',
  distinct: {},
  longest: { text: 1020 },
  indexes: {},
} as const;

type Parts = { readonly thing: JsonObject };

/** The last event of a stream is its row, and every event one of the journal's; one that says gone removes the row. */
const things: Projection<Parts> = {
  name: 'things',
  version: 1,
  tables: { thing: { ...shape, toJson: (part) => part, fromJson: (json) => json } },
  journals: { said: { ...shape, rows: (_, { id, data }) => [{ ...data, id }] } },
  keyOf: ({ streamId }) => streamId,
  fold: (_, { data }) => (data.gone ? {} : { thing: data }),
};

const awkward = [
  '',
  ' ',
  '\\',
  '\\.',
  '\\N',
  'a\tb\nc\r\\n',
  '"{},\'',
  'null',
  'Ä 😀 \u0001',
  '\u2028',
];

const values: readonly Readonly<Record<string, unknown>>[] = [
  ...awkward.map((text) => ({ text, list: [text, 'and', text], document: { [text]: [text] } })),
  ...awkward.map((text) => ({ document: text, verbatim: { [text]: text } })),
  { list: [] },
  { list: null, text: null, document: null },
  { document: { 'a  b': [1, 2.5, null, true], none: undefined }, verbatim: { 'a  b': 1 } },
  { flag: true, big: '9223372036854775807', at: '2026-01-02T03:04:05.678Z' },
  { flag: false, big: 2 ** 52, at: at(1) },
  { at: new Date(Number.NaN), big: -1, text: 7 },
];

const events = (
  all: readonly (readonly [stream: string, data: Readonly<Record<string, unknown>>])[],
): RecordedEvent[] => {
  const revisions = new Map<string, number>();
  return all.map(([streamId, data], index) => {
    const revision = (revisions.get(streamId) ?? -1) + 1;
    revisions.set(streamId, revision);
    return {
      ...newEvent({ type: 'ImageDeleted', data: {} }, `${streamId} ${index}`),
      data: data as JsonObject,
      streamId,
      revision,
      position: BigInt(index + 1),
      recordedAt: at(index),
    };
  });
};

type Way = (projection: typeof things, generation: Generation) => Store<Parts>;

const puttingOff =
  (rows: number): Way =>
  (projection, generation) =>
    byCopy(projection, generation, rows);

async function stored(pool: Pool, way: Way, keep = 100) {
  const generation = await createGeneration(pool, things, null);
  const store = way(things, generation);
  const writer = generationWriter(things, generation, keep, undefined, store);
  const schema = `things_${generation.number}`;
  const rows = async (): Promise<readonly string[]> => {
    const { rows } = await pool.query<{ row: string }>(`
      select 'thing ' || to_jsonb(thing)::text as row from ${schema}.thing
      union all
      select 'said ' || to_jsonb(said)::text || coalesce(said.verbatim::text, '') from ${schema}.said
      order by row`);
    return rows.map(({ row }) => row);
  };
  return { generation, writer, store, rows };
}

async function onOne(
  { pool }: Awaited<ReturnType<typeof testDatabase>>,
  work: (client: ClientBase) => Promise<void>,
): Promise<void> {
  const client = await pool.connect();
  await work(client).finally(() => client.release());
}

/** The connection, but the names of its statements are told. */
const named = (client: ClientBase, names: string[]): Queryable => {
  const query = (asked: { readonly name?: string }) => {
    if (asked.name !== undefined) names.push(asked.name);
    return client.query(asked as never);
  };
  return { query: query as Queryable['query'] };
};

test('rows are the same however they are stored, whatever is in them', async () => {
  const database = await testDatabase(migrations);
  const [copied, said, late, hastier] = [
    await stored(database.pool, byCopy),
    await stored(database.pool, byStatement),
    await stored(database.pool, puttingOff(1000)),
    await stored(database.pool, puttingOff(7), 4),
  ];
  const streams = values.map((data, index) => [`s${index}`, { small: index, ...data }] as const);
  const batches = events([
    ...streams,
    ...streams.map(
      ([stream, data], index) =>
        [stream, index % 3 === 0 ? { small: 0, gone: true } : data] as const,
    ),
    ...streams.map(([stream, data]) => [stream, { ...data, small: -1 }] as const),
    ...streams.map(([stream]) => [`${stream} again`, { small: 1 }] as const),
  ]);
  const names: string[] = [];
  await onOne(database, async (client) => {
    for (const { writer, store } of [copied, said, late, hastier]) {
      for (let from = 0; from < batches.length; from += 20)
        await applySparing(writer, named(client, names), batches.slice(from, from + 20), () => {});
      await store.flush(client);
    }
  });
  const schema = `things_${copied.generation.number}`;
  assert.ok(names.includes(`upsert-${schema}-thing`) && names.includes(`remove-${schema}-thing`));
  assert.ok(!names.includes(`save-building-${schema}`), 'copy refused what the statement takes');
  assert.ok((await said.rows()).length > 4 * values.length - 20);
  for (const { rows } of [copied, late, hastier]) assert.deepEqual(await rows(), await said.rows());
});

test('what one way of storing refuses, the other does too, and neither loses a neighbour', async () => {
  const database = await testDatabase(migrations);
  const refused: Json[] = ['\ud800', 'a\udc00b', '\u0000', 'x'.repeat(1021)];
  const given = events([
    ...refused.flatMap((text, index) => [
      [`before ${index}`, { small: 1 }] as const,
      [`bad ${index}`, { small: 1, text }] as const,
      [`behind ${index}`, { small: 1 }] as const,
    ]),
    ['bad number', { small: 1e21 }],
    ['none', { small: null }],
    ['last', { small: 1 }],
  ]);
  const told: string[][] = [];
  const rows: (readonly string[])[] = [];
  await onOne(database, async (client) => {
    for (const way of [byCopy, byStatement]) {
      const { writer, rows: all } = await stored(database.pool, way);
      const passed: string[] = [];
      await applySparing(writer, client, given, ({ streamId }) => passed.push(streamId));
      told.push(passed);
      rows.push(await all());
      assert.equal(writer.position, given.at(-1)?.position);
    }
  });
  const bad = [...refused.map((_, index) => `bad ${index}`), 'bad number', 'none'];
  assert.deepEqual(told, [bad, bad]);
  assert.equal(rows[0]?.length, 2 * (given.length - bad.length));
  assert.deepEqual(rows[0], rows[1]);
});

test('rows that are put off are written once, and what is read is written before', async () => {
  const database = await testDatabase(migrations);
  const { generation, writer, store, rows } = await stored(database.pool, puttingOff(2), 2);
  const schema = `things_${generation.number}`;
  const count = async () => (await rows()).filter((row) => row.startsWith('thing')).length;
  const given = events([
    ['a', { small: 1 }],
    ['a', { small: 2 }],
    ['gone', { small: 1 }],
    ['a', { small: 3 }],
    ['gone', { small: 1, gone: true }],
    ['b', { small: 1 }],
    ['c', { small: 1 }],
    ['d', { small: 1 }],
    ['a', { small: 4 }],
    ['d', { small: 2 }],
  ]);
  const names: string[] = [];
  await onOne(database, async (client) => {
    const takeIn = (to: number) => writer.apply(named(client, names), given.slice(0, to));
    for (let to = 1; to <= 6; to += 1) await takeIn(to);
    assert.equal(await count(), 0);
    await takeIn(7);
    assert.equal(await count(), 3, 'more than may be put off');
    await takeIn(8);
    assert.equal(await count(), 3);
    await takeIn(9);
    assert.equal(await count(), 3, 'd is not what was read');
    await takeIn(10);
    await store.flush(named(client, names));
  });
  assert.equal(names.filter((name) => name === `upsert-${schema}-thing`).length, 1);
  const { rows: small } = await database.pool.query(
    `select id, small from ${schema}.thing order by id`,
  );
  assert.deepEqual(small, [
    { id: 'a', small: 4 },
    { id: 'b', small: 1 },
    { id: 'c', small: 1 },
    { id: 'd', small: 2 },
  ]);
});

test('what is put off and forgotten is stored before it is read', async () => {
  const database = await testDatabase(migrations);
  const { writer, store, rows } = await stored(database.pool, puttingOff(10), 1);
  const things = async () =>
    (await rows()).flatMap(
      (row) => /^thing .*"id": "(\w)".*"small": (\d)/.exec(row)?.slice(1) ?? [],
    );
  const given = events([
    ['a', { small: 1 }],
    ['b', { small: 1 }],
    ['a', { small: 2 }],
    ['b', { small: 2 }],
    ['a', { small: 3 }],
    ['a', { small: 1, gone: true }],
    ['b', { small: 3 }],
    ['a', { small: 4 }],
  ]);
  await onOne(database, async (client) => {
    const after = async (count: number) => {
      await writer.apply(client, given.slice(0, count));
      return things();
    };
    assert.deepEqual(await after(2), []);
    assert.deepEqual(await after(3), ['a', '1', 'b', '1']);
    assert.deepEqual(await after(4), ['a', '1', 'b', '1'], 'b is read as it is stored');
    assert.deepEqual(await after(5), ['a', '2', 'b', '2']);
    assert.deepEqual(await after(7), ['a', '2', 'b', '2']);
    assert.deepEqual(await after(8), ['b', '3'], 'a had gone');
    await store.flush(client, ['b']);
    assert.deepEqual(await things(), ['b', '3']);
    await store.flush(client);
    assert.deepEqual(await things(), ['a', '4', 'b', '3']);
  });
});

test('of what is put off the latest counts, and weighs', () => {
  const later = putOff<{ readonly weight: number }>();
  const put = (key: string, weight: number, isNew = true) =>
    later.add({ put: [{ key, part: { weight }, isNew, size: { length: weight } }], gone: [] });
  put('a', 5);
  put('b', 7);
  put('a', 6, false);
  assert.deepEqual([later.size, later.weight], [2, 13]);
  put('stored', 4, false);
  later.add({ put: [], gone: ['a', 'stored'] });
  assert.deepEqual([later.size, later.weight], [2, 7]);
  assert.deepEqual(later.all(), {
    put: [{ key: 'b', part: { weight: 7 }, isNew: true, size: { length: 7 } }],
    gone: ['stored'],
  });
  put('stored', 3);
  assert.deepEqual(later.all().put.at(-1), {
    ...{ key: 'stored', part: { weight: 3 }, isNew: false, size: { length: 3 } },
  });
  assert.ok(later.has('stored') && !later.has('a'));
  later.clear();
  assert.deepEqual([later.size, later.weight], [0, 0]);
});

test('a row that was put off and that the table refuses is told as such', async () => {
  const database = await testDatabase(migrations);
  const { generation, writer, store, rows } = await stored(database.pool, puttingOff(10));
  const given = events([
    ['good', { small: 1 }],
    ['bad', { small: 1, text: 'x'.repeat(1021) }],
  ]);
  await onOne(database, async (client) => {
    // In no journal, which would refuse it at once.
    await client.query(
      `alter table things_${generation.number}.said drop constraint said_text_check`,
    );
    await writer.apply(client, given);
    await assert.rejects(store.flush(client), RowsRefused);
  });
  assert.equal((await rows()).filter((row) => row.startsWith('thing')).length, 0);
});

test('a copy into a generation that is no longer ours stores nothing', async () => {
  const database = await testDatabase(migrations);
  const { generation, writer, rows } = await stored(database.pool, byCopy);
  const { pool } = database;
  await pool.query(`update read_model.generation set state = 'retired' where number = $1`, [
    generation.number,
  ]);
  await onOne(database, async (client) => {
    await assert.rejects(writer.apply(client, events([['s', { small: 1 }]])), Fenced);
    assert.equal((await client.query('select 1 as one')).rows[0].one, 1);
  });
  assert.deepEqual(await rows(), []);
});

test('a copy that breaks off, on either side, leaves no row and a connection to go on with', async () => {
  const database = await testDatabase();
  await onOne(database, async (client) => {
    await client.query('create temp table number (n integer)');
    const sql = 'copy number (n) from stdin';
    const rows = async () => (await client.query('select n from number order by n')).rows;
    function* breaking(): Generator<string> {
      yield '1\n';
      throw new RangeError('Invalid string length');
    }
    await assert.rejects(copyIn(client, sql, breaking()), /Invalid string length/);
    const many = Array.from({ length: 200 }, () => '7\n'.repeat(20_000));
    await assert.rejects(copyIn(client, sql, ['1\n', 'none\n', ...many]), { code: '22P02' });
    await assert.rejects(copyIn(client, 'copy nowhere from stdin', ['1\n']), { code: '42P01' });
    assert.deepEqual(await rows(), []);
    await copyIn(client, sql, ['1\n2\n', '3\n']);
    assert.deepEqual(await rows(), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });
});

test('a copy whose connection is lost on the way rejects', async () => {
  const { pool } = await testDatabase();
  const client = await pool.connect();
  await client.query('create temp table number (n integer)');
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  let ended: Promise<unknown> | undefined;
  function* endless(): Generator<string> {
    for (;;) {
      ended ??= pool.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
      yield '7\n'.repeat(50_000);
    }
  }
  await assert.rejects(copyIn(client, 'copy number (n) from stdin', endless()));
  await ended;
  client.release(true);
});
