import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import type { Queryable } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { recentEntries } from '../../infra/read-model/recent-entries.ts';
import { applySparing } from '../../infra/read-model/sparing.ts';
import { Fenced, generationWriter } from '../../infra/read-model/writer.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import {
  caughtUp,
  live,
  logOf,
  migrations,
  rebuildFrom,
  startProjector,
  unexpected,
} from './read-model.ts';
import { newEvent, plain, uuid } from './recorded.ts';

/** No compression makes it fit into an entry of an index. */
const endless = randomBytes(6000).toString('hex');

const created = (given: Partial<Attributes> = {}): ImageEvent => ({
  type: 'ImageCreated',
  data: { ...plain, ...given },
});
const owned = (owner: string): ImageEvent => ({
  type: 'ImageUpdated',
  data: { changes: [{ field: 'owner', from: plain.owner, to: owner }], properties: [] },
});
const renamed: ImageEvent = {
  type: 'ImageUpdated',
  data: { changes: [{ field: 'name', from: plain.name, to: 'renamed' }], properties: [] },
};
const tagged = (tag: string): ImageEvent => ({ type: 'TagAdded', data: { tag } });

/** What a log holds after these events of these images. */
async function history(
  events: readonly (readonly [name: string, event: ImageEvent])[],
): Promise<readonly RecordedEvent[]> {
  const log = memoryEventLog({ upcast: (event) => event });
  for (const [index, [name, event]] of events.entries()) {
    const stream = `image-${uuid(name)}`;
    const { revision } = await log.readStream(stream);
    await log.append(stream, [newEvent(event, `${index}`)], revision);
  }
  return log.readAll(0n, events.length);
}

const place = ({ streamId, revision, position }: RecordedEvent) => [streamId, revision, position];

test('an event that no row can hold stops neither the projector nor who comes after it', async () => {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  const told: unknown[] = [];
  const projector = startProjector(pool, log, {
    onUnprojectable: (event, error) => told.push([...place(event), String(error)]),
  });
  await projector.ready;
  const append = (name: string, event: ImageEvent) =>
    log.append(`image-${uuid(name)}`, [newEvent(event, name)], -1);
  const appends = ['a', 'b', 'poison', 'c', 'd'].map((name) =>
    append(name, created(name === 'poison' ? { owner: endless } : {})),
  );
  await Promise.all(appends);
  await caughtUp(pool, log);
  const images = imageQueries(pool);
  for (const name of ['a', 'b', 'c', 'd']) assert.ok(await images.show(uuid(name)), name);
  assert.equal(await images.show(uuid('poison')), undefined);
  await append('later', created());
  await caughtUp(pool, log);
  assert.ok(await images.show(uuid('later')));
  assert.equal(told.length, 1);
  assert.match(String(told[0]), new RegExp(`image-${uuid('poison')},0,3,.*check constraint`));
  await projector.stop();
});

test('a rebuild goes on without such events, and makes its indexes', async () => {
  const { pool } = await testDatabase(migrations);
  const events = await history([
    ['a', created()],
    ['poison', created({ owner: endless })],
    ['b', created()],
    ['poisoned name', created({ name: endless })],
    ['c', created()],
  ]);
  const told: RecordedEvent[] = [];
  await rebuild({
    projection: imagesProjection,
    pool,
    log: logOf(events),
    signal: new AbortController().signal,
    onUnprojectable: (event) => told.push(event),
  });
  assert.deepEqual(
    told.map(place),
    [events[1], events[3]].map((event) => event && place(event)),
  );
  assert.equal((await live(pool)).position, 5n);
  const images = imageQueries(pool);
  for (const name of ['a', 'b', 'c']) assert.ok(await images.show(uuid(name)), name);
});

test('an event that has no text, for one, is passed over as well', async () => {
  const { pool } = await testDatabase(migrations);
  const events = await history([
    ['a', created()],
    ['b', created()],
    ['c', created()],
  ]);
  const [first, second, third] = events;
  assert.ok(first && second && third);
  await rebuildFrom(pool, logOf([]));
  const writer = generationWriter(imagesProjection, await live(pool), 10);
  const told: RecordedEvent[] = [];
  const timeless = { ...second, recordedAt: new Date(Number.NaN) };
  await applySparing(writer, pool, [first, timeless, third], (event) => told.push(event));
  assert.deepEqual(told, [timeless]);
  assert.equal((await live(pool)).position, 3n);
  assert.ok(await imageQueries(pool).show(uuid('c')));
});

test('later events of an image go on from what is stored of it, remembered or read again', async () => {
  const events = await history([
    ['one', created()],
    ['one', owned(endless)],
    ['one', renamed],
    ['one', owned('project-b')],
  ]);
  for (const keepEntries of [10, 0]) {
    const { pool } = await testDatabase(migrations);
    await rebuildFrom(pool, logOf([]));
    const writer = generationWriter(imagesProjection, await live(pool), keepEntries);
    let told = 0;
    const take = (from: number, to: number) =>
      applySparing(writer, pool, events.slice(from, to), () => {
        told += 1;
      });
    await take(0, 3);
    assert.equal(told, 1);
    const image = await imageQueries(pool).show(uuid('one'));
    assert.deepEqual([image?.owner, image?.name], [plain.owner, 'renamed']);
    await take(3, 4);
    assert.equal((await imageQueries(pool).show(uuid('one')))?.owner, 'project-b');
    assert.equal((await live(pool)).position, 4n);
  }
});

test('only who holds the checkpoint moves it past an event', async () => {
  const { pool } = await testDatabase(migrations);
  const events = await history([
    ['a', created()],
    ['poison', created({ owner: endless })],
  ]);
  await rebuildFrom(pool, logOf([]));
  const generation = await live(pool);
  const [ahead, behind] = [0, 1].map(() => generationWriter(imagesProjection, generation, 10));
  assert.ok(ahead && behind);
  let told = 0;
  await applySparing(ahead, pool, events, () => {
    told += 1;
  });
  await assert.rejects(applySparing(behind, pool, events, unexpected), Fenced);
  const [, poison] = events;
  assert.ok(poison);
  await assert.rejects(behind.passOver(pool, poison), Fenced);
  assert.equal(told, 1);
});

test('however large the rows of a batch are, each statement is of a bounded size', async () => {
  const { pool } = await testDatabase(migrations);
  const names = Array.from({ length: 12 }, (_, index) => `image ${index}`);
  const megabyte = { large: 'x'.repeat(1024 * 1024) };
  const events = await history([
    ...names.map((name) => [name, created({ properties: megabyte })] as const),
    ...names.map((name) => [name, tagged('new')] as const),
  ]);
  await rebuildFrom(pool, logOf(events.slice(0, names.length)));
  const writer = generationWriter(imagesProjection, await live(pool), 10);
  let largest = 0;
  const measured = {
    query: (query: { readonly values: readonly unknown[] }) => {
      largest = Math.max(largest, JSON.stringify(query.values.map(String)).length);
      return pool.query(query as never);
    },
  } as unknown as Queryable;
  await writer.apply(measured, events.slice(names.length));
  assert.equal((await live(pool)).position, 24n);
  assert.ok(largest < 10 * 1024 * 1024, `${largest} characters at once`);
  const { rows } = await pool.query(`select count(*) from images.image where tags @> '["new"]'`);
  assert.deepEqual(rows, [{ count: 12n }]);
});

test('entries are remembered by number and by size, the newest longest', () => {
  const recent = recentEntries<string>(3, 100);
  const kept = () => ['a', 'b', 'c', 'd'].filter((key) => recent.has(key));
  for (const key of ['a', 'b', 'c', 'd']) recent.set(key, key, 10);
  recent.trim();
  assert.deepEqual(kept(), ['b', 'c', 'd']);
  recent.set('b', 'b', 85);
  recent.trim();
  assert.deepEqual(kept(), ['b', 'd']);
  recent.set('b', 'b', 10);
  recent.set('c', 'c', 80);
  recent.trim();
  assert.deepEqual(kept(), ['b', 'c', 'd']);
});
