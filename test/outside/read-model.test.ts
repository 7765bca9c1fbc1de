import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Pool } from 'pg';
import type { Viewer } from '../../domain/image/visibility.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { generationWriter } from '../../infra/read-model/writer.ts';
import type { EventFilter, Events, Told } from '../../projections/events/events.ts';
import { eventsProjection } from '../../projections/events/projection.ts';
import { eventQueries, statement } from '../../projections/events/queries.ts';
import { random } from '../projections/history.ts';
import { logOf, migrations, unexpected } from '../projections/read-model.ts';
import { memoryEvents } from '../support/gateway-events.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { life, projects } from './life.ts';

const seed = seedOfThisRun();
const admin: Viewer = { projectId: 'red', isAdmin: true };
const viewers: readonly Viewer[] = [
  admin,
  ...projects.map((projectId) => ({ projectId, isAdmin: false })),
  { projectId: 'nobody has this', isAdmin: false },
  { projectId: null, isAdmin: false },
];

const build = (pool: Pool, log: Parameters<typeof rebuild>[0]['log']) =>
  rebuild({
    projection: eventsProjection,
    pool,
    log,
    signal: new AbortController().signal,
    onUnprojectable: unexpected,
  });

/** Everything that is told, page by page. */
async function all(
  events: Events,
  viewer: Viewer,
  filter: EventFilter,
  limit: number,
): Promise<Told[]> {
  const told: Told[] = [];
  const upTo = await events.checkpoint();
  let after = 0n;
  while (after < upTo) {
    const page = await events.page({ viewer, filter, after, upTo, limit });
    assert.ok(page.events.length <= limit, 'no page has more than was asked for');
    assert.ok(page.next > after && page.next <= upTo, 'each page comes further');
    assert.ok(
      page.events.every(({ event }) => event.position > after && event.position <= page.next),
    );
    told.push(...page.events);
    after = page.next;
  }
  return told;
}

async function rowsOf(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ row: string }>(`
    select 'event ' || to_jsonb(event)::text as row from events.event
    union all
    select 'reader ' || to_jsonb(reader)::text from events.reader
    union all
    select 'standing ' || to_jsonb(standing)::text from events.standing
    order by row`);
  return rows.map(({ row }) => row);
}

describe(`the read model of events (seed ${seed})`, () => {
  const log = memoryEventLog({ upcast: (event) => event });
  const lives = life(seed, 12);
  const expected = memoryEvents(log);
  let pool: Pool;

  before(async () => {
    ({ pool } = await testDatabase(migrations));
    await lives.goOn(log, 500);
    await build(pool, log);
  });

  test('tells each what it would be told by looking at the whole log, whatever the pages', async () => {
    const next = random(seed);
    const one = <Value>(values: readonly Value[]): Value =>
      values[Math.floor(next() * values.length)] as Value;
    const found: number[] = [];
    for (let round = 0; round < 50; round += 1) {
      const viewer = one(viewers);
      const filter: EventFilter = {
        project: next() < 0.6 ? undefined : one([...projects, 'nobody has this']),
        image: next() < 0.7 ? undefined : one(lives.images()),
        types: one([undefined, undefined, ['TagAdded'], ['ImageCreated', 'ImageDeleted']]),
      };
      const limits = { scan: one([3, 50, 5000]), weight: one([1, 20_000, 1_000_000]) };
      const given = await all(eventQueries(pool, limits), viewer, filter, one([7, 100, 1000]));
      const wanted = await all(expected, viewer, filter, 1000);
      assert.deepEqual(given, wanted, JSON.stringify({ viewer, filter, limits }));
      found.push(wanted.length);
    }
    assert.ok(found.filter((count) => count > 0).length > 10, 'much of it was not empty');
  });

  test('gives a page as it was, whatever came since', async () => {
    const queries = eventQueries(pool);
    const query = { viewer: admin, filter: {}, after: 0n, upTo: 300n, limit: 1000 };
    const { events, next } = await queries.page(query);
    assert.equal(next, 300n);
    assert.ok(events.every(({ event }) => event.position <= 300n));
    assert.deepEqual(await queries.page({ ...query, after: 300n }), { events: [], next: 300n });
  });

  test('is the same row for row however the log was taken in', async () => {
    const events = await log.readAll(0n, 10_000);
    const { pool: other } = await testDatabase(migrations);
    await build(other, logOf(events.slice(0, 250)));
    const next = random(seed);
    for (let start = 250; start < events.length; ) {
      const live = await liveGeneration(other, eventsProjection);
      assert.ok(live);
      const end = start + 1 + Math.floor(next() * 60);
      const writer = generationWriter(eventsProjection, live, 3);
      await writer.apply(other, events.slice(start, end));
      await writer.apply(other, events.slice(start, end));
      start = end;
    }
    assert.deepEqual(await rowsOf(other), await rowsOf(pool));
  });
});

describe('each question about events uses its index', () => {
  let pool: Pool;
  const facts = 30_000;
  before(async () => {
    ({ pool } = await testDatabase(migrations));
    await build(pool, logOf([]));
    const live = await liveGeneration(pool, eventsProjection);
    const schema = `events_${live?.number}`;
    await pool.query(
      `
      insert into ${schema}.event (id, stream, type, project, former, weight, event)
      select lpad(n::text, 19, '0'), 'image-' || md5((n / 10)::text)::uuid, 'TagAdded', 'project-' || n % 7,
        case when n % 1000 = 0 then 'project-x' end, 900, '{}'
      from generate_series(1, $1::integer) as n`,
      [facts],
    );
    await pool.query(
      `
      insert into ${schema}.reader (id, event)
      select case when n % 2 = 0 then 'all/' else 'project project-' || n % 7 || '/' end || lpad(n::text, 19, '0'), lpad(n::text, 19, '0')
      from generate_series(1, $1::integer) as n`,
      [facts],
    );
    await pool.query(`vacuum (analyze) ${schema}.event, ${schema}.reader`);
  });

  const member: Viewer = { projectId: 'project-3', isAdmin: false };
  const image = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';
  const cases: readonly [string, Viewer, EventFilter, readonly string[]][] = [
    ['an administrator’s', admin, {}, ['event_pkey']],
    ['a project’s', member, {}, ['reader_pkey', 'event_pkey']],
    ['about one image', member, { image }, ['event_by_stream', 'reader_pkey']],
    ['an administrator’s about one image', admin, { image }, ['event_by_stream']],
    ['about what one project owns', member, { project: 'project-3' }, ['event_by_project']],
    ['of one type', admin, { types: ['TagRemoved'] }, ['event_pkey']],
  ];
  for (const [name, viewer, filter, indexes] of cases)
    for (const mode of ['custom', 'generic'])
      test(`${name} (${mode} plan)`, async () => {
        const query = { viewer, filter, after: 20_000n, upTo: BigInt(facts), limit: 100 };
        const { text, values } = statement(query, 500, 1_000_000);
        const client = await pool.connect();
        try {
          await client.query(`set plan_cache_mode = force_${mode}_plan`);
          await client.query(`prepare asked as ${text}`);
          const literals = values.map((value) =>
            value === null
              ? 'null'
              : client.escapeLiteral(Array.isArray(value) ? `{${value.join(',')}}` : String(value)),
          );
          const { rows } = await client.query<{ 'QUERY PLAN': string }>(
            `explain (costs off) execute asked (${literals.join(', ')})`,
          );
          const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
          for (const index of indexes) assert.match(plan, new RegExp(`\\b${index}\\b`), plan);
          assert.doesNotMatch(plan, /Seq Scan/, plan);
        } finally {
          client.release(true);
        }
      });
});
