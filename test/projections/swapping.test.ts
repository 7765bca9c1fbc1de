import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from 'pg';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { createGeneration, dropRetired } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { swap } from '../../infra/read-model/swap.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { Fenced, generationWriter } from '../../infra/read-model/writer.ts';
import type { ListQuery } from '../../projections/images/list-query.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { history } from './history.ts';
import {
  live,
  logOf,
  migrations,
  quiet,
  rebuildFrom,
  startProjector,
  unexpected,
} from './read-model.ts';
import { newEvent, plain, recorded, uuid } from './recorded.ts';

const listing: ListQuery = {
  viewer: { projectId: 'project-a', isAdmin: false },
  filters: [],
  visibility: undefined,
  memberStatus: 'accepted',
  hidden: false,
  sort: [
    { key: 'created_at', direction: 'desc' },
    { key: 'id', direction: 'desc' },
  ],
  marker: undefined,
  limit: 25,
};

const emptyLog = () => memoryEventLog({ upcast: (event) => event });

test('queries go on without an error, and see every acknowledged write, while generations are swapped', async () => {
  const { pool, url } = await testDatabase(migrations);
  const log = emptyLog();
  await history(log, 7, 30).goOn(200);
  const projector = startProjector(pool, log);
  await projector.ready;
  const seen = visible(pool, url, { log: quiet, models: ['images'] });
  const images = imageQueries(pool);
  let swapping = true;
  let reads = 0;

  const write = async (writer: number): Promise<void> => {
    const id = uuid(`writer ${writer}`);
    let revision = -1;
    const append = async (event: Parameters<typeof newEvent>[0]) => {
      const seed = `${id} ${revision}`;
      const position = await log.append(`image-${id}`, [newEvent(event, seed)], revision);
      revision += 1;
      await seen.waitFor(position, 30_000);
    };
    await append({ type: 'ImageCreated', data: { ...plain, name: id } });
    for (let count = 1; swapping; count += 1) {
      await append({ type: 'TagAdded', data: { tag: `tag-${count}` } });
      assert.equal((await images.show(id))?.tags.length, count);
    }
  };
  const read = async (ask: () => Promise<unknown>): Promise<void> => {
    for (; swapping; reads += 1) await ask();
  };
  const first = (await live(pool)).number;
  const swaps = async (): Promise<void> => {
    try {
      for (let count = 0; count < 8; count += 1) {
        await rebuildFrom(pool, log);
        await dropRetired(pool, 'images', 300);
      }
    } finally {
      swapping = false;
    }
  };
  await Promise.all([
    swaps(),
    write(1),
    write(2),
    read(async () => assert.equal((await images.list(listing)).length > 0, true)),
    read(() => images.openWork()),
    read(() => images.checkpoint()),
    read(() => images.list({ ...listing, filters: [{ kind: 'tag', value: 'tag-1' }] })),
  ]);
  assert.ok((await live(pool)).number >= first + 8);
  assert.ok(reads > 100, `there were only ${reads} reads`);
  await projector.stop();
  await seen.close();
});

test('a rebuild swaps although the live generation moves on all the time', async () => {
  const { pool } = await testDatabase(migrations);
  const log = emptyLog();
  const life = history(log, 8, 30);
  const projector = startProjector(pool, log);
  await projector.ready;
  let busy = true;
  const writing = (async () => {
    while (busy) {
      await life.goOn(5);
      await new Promise(setImmediate);
    }
  })();
  const before = await live(pool);
  await rebuildFrom(pool, log);
  const after = await live(pool);
  busy = false;
  await writing;
  assert.ok(after.number > before.number);
  assert.ok(after.position >= before.position);
  await projector.stop();
});

test('a new generation that is older than the live one is not swapped in', async () => {
  const { pool } = await testDatabase(migrations);
  const events = recorded(uuid('one'), [
    { type: 'ImageCreated', data: plain },
    { type: 'TagAdded', data: { tag: 'new' } },
  ]);
  await rebuildFrom(pool, logOf(events));
  const before = await live(pool);
  const giveUp = new AbortController();
  const older = rebuild({
    projection: imagesProjection,
    pool,
    log: logOf(events.slice(0, 1)),
    signal: giveUp.signal,
    onUnprojectable: unexpected,
    onProgress: ({ phase }) => {
      if (phase === 'swap') setImmediate(() => giveUp.abort());
    },
  });
  await assert.rejects(older, { name: 'AbortError' });
  assert.deepEqual(await live(pool), before);
});

test('a rebuild that cannot ask the log keeps no connection', async () => {
  const { pool } = await testDatabase(migrations);
  const log = { ...logOf([]), head: () => Promise.reject(new Error('out of reach')) };
  await assert.rejects(rebuildFrom(pool, log), /out of reach/);
  assert.equal(pool.idleCount, pool.totalCount);
});

test('the newest rebuild wins, and what an older one left is dropped', async () => {
  const { pool } = await testDatabase(migrations);
  const events = recorded(uuid('one'), [{ type: 'ImageCreated', data: plain }]);
  const abandoned = await createGeneration(pool, imagesProjection, null);
  await rebuildFrom(pool, logOf(events));
  const writer = generationWriter(imagesProjection, abandoned, 10);
  await assert.rejects(writer.apply(pool, events));
  const left = await createGeneration(pool, imagesProjection, null);
  await rebuildFrom(pool, logOf(events));
  const { rows } = await pool.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like 'images\\_%'`,
  );
  const schemas = rows.map(({ name }) => name);
  assert.ok(!schemas.includes(`images_${abandoned.number}`), 'the first is gone');
  assert.ok(!schemas.includes(`images_${left.number}`), 'the second too');
});

test('who still writes a generation after its swap is fenced off', async () => {
  const { pool } = await testDatabase(migrations);
  const events = recorded(uuid('one'), [
    { type: 'ImageCreated', data: plain },
    { type: 'TagAdded', data: { tag: 'new' } },
  ]);
  await rebuildFrom(pool, logOf(events.slice(0, 1)));
  const writer = generationWriter(imagesProjection, await live(pool), 10);
  await rebuildFrom(pool, logOf(events.slice(0, 1)));
  await assert.rejects(writer.apply(pool, events), Fenced);
});

test('a swap waits for long queries without holding up the others for long', async () => {
  const { pool } = await testDatabase(migrations);
  const events = recorded(uuid('one'), [{ type: 'ImageCreated', data: plain }]);
  await rebuildFrom(pool, logOf(events));
  const before = await live(pool);
  const reader = await pool.connect();
  await reader.query('begin');
  await reader.query('select count(*) from images.image');
  const rebuilding = rebuildFrom(pool, logOf(events));
  const images = imageQueries(pool);
  await until('the swap to have tried', async () => {
    const { rows } = await pool.query(
      `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%view%'`,
    );
    return rows.length > 0;
  });
  const began = performance.now();
  assert.ok(await images.show(uuid('one')));
  assert.ok(performance.now() - began < 5_000, 'a reader was held up');
  assert.equal((await live(pool)).number, before.number);
  await reader.query('commit');
  reader.release();
  await rebuilding;
  assert.ok((await live(pool)).number > before.number);
});

test('a generation that is too far behind keeps nothing of the swap that was given up', async () => {
  const { pool } = await testDatabase(migrations);
  const log = emptyLog();
  await history(log, 11, 20).goOn(2_500);
  await rebuildFrom(pool, log);
  const standing = await live(pool);
  const behind = await createGeneration(pool, imagesProjection, standing.logId);
  assert.equal(await swap(pool, log, imagesProjection, behind.number, 0n), false);
  assert.deepEqual(await positionOf(pool, behind.number), 0n);
  assert.deepEqual(await live(pool), standing);
  await assert.rejects(swap(pool, log, imagesProjection, behind.number, 5n), Fenced);
});

async function positionOf(pool: Pool, number: number): Promise<bigint | undefined> {
  const { rows } = await pool.query<{ position: bigint }>(
    'select position from read_model.generation where number = $1',
    [number],
  );
  return rows[0]?.position;
}
