import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { memberStatuses, visibilities } from '../../domain/image/attributes.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { generationWriter } from '../../infra/read-model/writer.ts';
import type { ChangeRecord } from '../../projections/history/change.ts';
import type { History, HistoryFilter, HistoryViewer } from '../../projections/history/history.ts';
import { pastQueries } from '../../projections/history/past.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import type { Filter, ListQuery } from '../../projections/images/list-query.ts';
import { recordFields } from '../../projections/images/projection.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import { life, projects } from '../outside/life.ts';
import { random, history as randomHistory } from '../projections/history.ts';
import { logOf, migrations } from '../projections/read-model.ts';
import { memoryHistory, memoryPast } from '../support/gateway-history.ts';
import { testDatabase } from '../support/postgres.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { buildHistory, historyRows } from './read-model.ts';

const seed = seedOfThisRun();
const commands = 1_500;
const instants = 100;

const admin: HistoryViewer = { projectId: 'office', seesAll: true };
const viewers: readonly HistoryViewer[] = [
  admin,
  ...projects.map((projectId) => ({ projectId, seesAll: false })),
  { projectId: null, seesAll: false },
];

/** Every change, page by page. */
async function all(
  history: History,
  viewer: HistoryViewer,
  filter: HistoryFilter,
  limit: number,
): Promise<ChangeRecord[]> {
  const upTo = await history.checkpoint();
  const found: ChangeRecord[] = [];
  for (let after = 0n; after < upTo; ) {
    const { changes, next } = await history.page({ viewer, filter, after, upTo, limit });
    assert.ok(changes.length <= limit, 'no page has more than was asked for');
    assert.ok(next > after && next <= upTo, 'each page comes further');
    assert.ok(changes.every(({ position }) => position > after && position <= next));
    found.push(...changes);
    after = next;
  }
  return found;
}

describe(`changes (seed ${seed})`, () => {
  const log = memoryEventLog({ upcast: (event) => event });
  const lives = life(seed, 12);
  const expected = memoryHistory(log);
  let pool: Pool;

  before(async () => {
    ({ pool } = await testDatabase(migrations));
    await lives.goOn(log, 500);
    await buildHistory(pool, log);
  });

  test('are told to each as by looking at the whole log, whatever the pages', async () => {
    const next = random(seed);
    const one = <Value>(values: readonly Value[]): Value =>
      values[Math.floor(next() * values.length)] as Value;
    const events = await log.readAll(0n, 10_000);
    const whole = await all(historyQueries(pool), admin, {}, 7);
    assert.deepEqual(whole, await all(expected, admin, {}, 1_000));
    assert.ok(whole.length >= 500);
    let answered = 0;
    for (let round = 0; round < 60; round += 1) {
      const viewer = one(viewers);
      const maybe = <Value>(share: number, values: readonly Value[]): Value | undefined =>
        next() < share ? one(values) : undefined;
      // Nobody can ask for an object and a namespace at once.
      const named = maybe(0.1, ['named nothing']);
      const filter: HistoryFilter = {
        project: maybe(0.2, projects),
        object: named === undefined ? maybe(0.3, lives.images()) : undefined,
        actor: maybe(0.3, ['user', 'nobody']),
        types: maybe(0.3, [['ImageCreated', 'TagAdded'], ['IngestClaimed'], ['ImageDeleted']]),
        kinds: maybe(0.2, [['image'], ['namespace', 'webhook']] as const),
        namespace: named,
        refused: maybe(0.2, [true, false]),
        from: maybe(0.3, events)?.recordedAt,
        to: maybe(0.3, events)?.recordedAt,
      };
      const options = { scan: one([7, 5_000]), weight: one([600, 4_000_000]) };
      const history = historyQueries(pool, options);
      const found = await all(history, viewer, filter, one([1, 4, 100]));
      const wanted = await all(expected, viewer, filter, 1_000);
      assert.deepEqual(found, wanted, JSON.stringify({ viewer, filter, options }));
      if (found.length > 0) answered += 1;
    }
    assert.ok(answered >= 5, 'some questions have answers');
  });

  test('are the same rows however they came in', async () => {
    const other = (await testDatabase(migrations)).pool;
    await buildHistory(other, logOf([]));
    const generation = await liveGeneration(other, historyProjection);
    assert.ok(generation);
    const next = random(seed);
    const events = await log.readAll(0n, 10_000);
    for (let start = 0; start < events.length; ) {
      // A writer that remembers nothing loads what it goes on from.
      const live = await liveGeneration(other, historyProjection);
      assert.ok(live);
      const writer = generationWriter(historyProjection, live, 0);
      const end = start + 1 + Math.floor(next() * 40);
      await writer.apply(other, events.slice(start, end));
      start = end;
    }
    assert.deepEqual(await historyRows(other), await historyRows(pool));
  });
});

describe(`images as they were (seed ${seed})`, () => {
  const log: EventLog = memoryEventLog({ upcast: (event) => event });
  const past = memoryPast(log);
  let pool: Pool;
  let head: bigint;

  before(async () => {
    ({ pool } = await testDatabase(migrations));
    await randomHistory(log, seed, 60).goOn(commands);
    head = await log.head();
    await buildHistory(pool, log);
  });

  test(`after ${commands} commands are at each of ${instants} positions those of a log that ends there`, async (t) => {
    const next = random(seed + 1);
    const below = (count: number): number => Math.floor(next() * count);
    const one = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;
    const queries = pastQueries(pool);
    let images = 0;
    for (let round = 0; round < instants; round += 1) {
      const at = BigInt(below(Number(head)) + 1);
      const query = listQuery(below, one);
      const wanted = (await past.list(query, at)).map(shown);
      assert.deepEqual(await queries.list(query, at), wanted, `${at} ${JSON.stringify(query)}`);
      images += wanted.length;
      for (const { id } of wanted.slice(0, 3))
        assert.deepEqual(
          await queries.show(id, at),
          wanted.find((image) => image.id === id),
        );
    }
    t.diagnostic(`${head} events, ${images} images in ${instants} listings`);
    assert.ok(images > instants, 'the listings are not empty');
  });
});

/** Without what an open upload has gathered, which no query gives. */
const shown = (image: ImageRecord): ImageRecord =>
  Object.fromEntries(recordFields.map((field) => [field, image[field]])) as unknown as ImageRecord;

/** A listing as callers may ask for it: what it means is the memory's to say. */
function listQuery(
  below: (count: number) => number,
  one: <Value>(values: readonly Value[]) => Value,
): ListQuery {
  const filters: readonly Filter[] = [
    { kind: 'one-of', field: 'name', values: ['a', 'Ä'] },
    { kind: 'one-of', field: 'status', values: ['active'] },
    { kind: 'tag', value: `tag-${below(5)}` },
    { kind: 'property', name: `property-${below(4)}`, value: `value-${below(3)}` },
    { kind: 'number', field: 'min_ram', comparison: 'gte', value: 1 },
  ];
  return {
    viewer: { projectId: `project-${one(['a', 'b', '1'])}`, isAdmin: one([true, false]) },
    filters: filters.filter(() => below(6) === 0),
    visibility: one([undefined, 'all', ...visibilities] as const),
    memberStatus: one(['all', 'accepted', ...memberStatuses] as const),
    hidden: false,
    sort: [
      {
        key: one(['name', 'created_at', 'updated_at', 'size'] as const),
        direction: one(['asc', 'desc'] as const),
      },
      { key: 'id', direction: 'desc' },
    ],
    marker: undefined,
    limit: one([3, 25, 1_000]),
  };
}
