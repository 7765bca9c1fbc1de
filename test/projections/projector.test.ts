import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { deathWatch } from '../../infra/leases/death-watch.ts';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { lease } from '../../infra/leases/lease.ts';
import { type CheckpointMover, checkpointMover } from '../../infra/read-model/checkpoints.ts';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { caughtUp, live, migrations, quiet, rebuildFrom, startProjector } from './read-model.ts';
import { newEvent, plain, uuid } from './recorded.ts';

const openLog = (): EventLog => memoryEventLog({ upcast: (event) => event });

const append = (log: EventLog, name: string) =>
  log.append(`image-${uuid(name)}`, [newEvent({ type: 'ImageCreated', data: plain }, name)], -1);

const shows = (pool: Pool, name: string) =>
  until(`image ${name} to show`, async () => {
    const image = await imageQueries(pool)
      .show(uuid(name))
      .catch(() => undefined);
    return image !== undefined;
  });

test('a projector builds what is not there, and follows the log from then on', async () => {
  const { pool } = await testDatabase(migrations);
  const log = openLog();
  await append(log, 'before');
  const projector = startProjector(pool, log);
  await projector.ready;
  assert.ok(await imageQueries(pool).show(uuid('before')));
  await append(log, 'after');
  await shows(pool, 'after');
  assert.equal(await imageQueries(pool).checkpoint(), 2n);
  await projector.stop();
});

test('a projector follows the swap that another process made', async () => {
  const { pool } = await testDatabase(migrations);
  const log = openLog();
  const projector = startProjector(pool, log);
  await projector.ready;
  await rebuildFrom(pool, log);
  await append(log, 'after the swap');
  await shows(pool, 'after the swap');
  await projector.stop();
});

test('a read model of another version is built anew, and read meanwhile', async () => {
  const { pool } = await testDatabase(migrations);
  const log = openLog();
  await append(log, 'before');
  const old = startProjector(pool, log);
  await old.ready;
  await old.stop();
  const { image } = imagesProjection.tables;
  const next: typeof imagesProjection = {
    ...imagesProjection,
    version: imagesProjection.version + 1,
    tables: {
      ...imagesProjection.tables,
      image: {
        ...image,
        columns: { shouted: 'text', ...image.columns },
        toJson: (row) => ({ ...image.toJson(row), shouted: row.name?.toUpperCase() ?? null }),
      },
    },
  };
  const images = imageQueries(pool);
  let reading = true;
  const readers = (async () => {
    while (reading) assert.ok(await images.show(uuid('before')));
  })();
  const projector = startProjector(pool, log, { projection: next });
  await projector.ready;
  const { rows } = await pool.query('select shouted from images.image');
  assert.deepEqual(rows, [{ shouted: 'CIRROS' }]);
  await append(log, 'after');
  await shows(pool, 'after');
  reading = false;
  await readers;
  await projector.stop();
});

for (const [what, loss] of [
  ['everything of it', 'drop schema read_model, images cascade'],
  ['its views', 'drop schema images cascade'],
  ['a table', 'drop table images_1.work cascade'],
] as const)
  test(`a read model that loses ${what} while it is kept is built again`, async () => {
    const { pool } = await testDatabase(migrations);
    const log = openLog();
    await append(log, 'before');
    const projector = startProjector(pool, log);
    await projector.ready;
    await pool.query(loss);
    await append(log, 'after');
    await shows(pool, 'after');
    assert.ok(await imageQueries(pool).show(uuid('before')));
    assert.deepEqual(await imageQueries(pool).openWork(), []);
    await projector.stop();
  });

test('a read model that is ahead of its log is built again', async () => {
  const { pool } = await testDatabase(migrations);
  const longer = openLog();
  for (const name of ['a', 'b', 'c']) await append(longer, name);
  const first = startProjector(pool, longer);
  await first.ready;
  await first.stop();
  const shorter = openLog();
  await append(shorter, 'other');
  const second = startProjector(pool, shorter);
  await second.ready;
  assert.ok(await imageQueries(pool).show(uuid('other')));
  assert.equal(await imageQueries(pool).show(uuid('a')), undefined);
  await second.stop();
});

test('when the active projector dies, another takes over within 5 s', async () => {
  const { pool } = await testDatabase(migrations);
  const log = openLog();
  const leaseMs = 1000;
  const contender = (owner: string) => {
    const beating = startHeartbeat(pool, { owner, part: 'projector', intervalMs: 250, log: quiet });
    const watch = deathWatch(pool, { leaseMs, log: quiet });
    const own = lease(pool, { name: 'projector-images', owner, watch });
    return { beating, watch, own };
  };
  const first = contender('first');
  assert.ok(await first.own.tryHold());
  const second = contender('second');
  const projector = startProjector(pool, log, { lease: second.own });
  // Long enough that the second has had its chances: it must leave a living holder alone.
  await until('three beats of the first', async () => {
    const { rows } = await pool.query<{ beat: bigint }>(
      `select beat from heartbeats where owner = 'first'`,
    );
    return (rows[0]?.beat ?? 0n) >= 6n;
  });
  assert.equal(await liveGeneration(pool, imagesProjection), undefined);

  const died = performance.now();
  await first.beating.stop(); // its row goes too, which is no sign of life either
  await projector.ready;
  assert.ok(performance.now() - died < 5_000, `took ${performance.now() - died} ms`);
  await append(log, 'after');
  await caughtUp(pool, log);
  await live(pool);
  await projector.stop();
  await second.beating.stop();
  await first.watch.stop();
  await second.watch.stop();
});

test('a checkpoint passes what changes nothing a little later, and whatever comes between counts', async () => {
  const { pool } = await testDatabase(migrations);
  const log = openLog();
  const settled: bigint[] = [];
  const ours = checkpointMover(pool);
  const mover: CheckpointMover = {
    move(generation, from, to) {
      settled.push(to);
      return ours.move(generation, from, to);
    },
  };
  const projector = startProjector(pool, log, { mover });
  await projector.ready;
  const elsewhere = (name: string) =>
    log.append(
      `elsewhere-${uuid(name)}`,
      [newEvent({ type: 'ImageCreated', data: plain }, name)],
      -1,
    );
  await elsewhere('one');
  await append(log, 'between');
  await elsewhere('two');
  await shows(pool, 'between');
  await caughtUp(pool, log);
  assert.equal((await live(pool)).position, 3n);
  for (let count = 0; count < 20; count += 1) await elsewhere(`many ${count}`);
  await caughtUp(pool, log);
  assert.ok(settled.length < 20, 'several are passed at once');
  await elsewhere('last');
  await projector.stop();
  const next = startProjector(pool, log, { mover });
  await next.ready;
  await caughtUp(pool, log);
  await rebuildFrom(pool, log);
  await elsewhere('after another has swapped');
  await caughtUp(pool, log);
  await append(log, 'at the end');
  await shows(pool, 'at the end');
  await next.stop();
});

test('what a crash of Postgres took back is taken in again, though nothing new happens', async () => {
  const { pool } = await testDatabase(migrations);
  const log = openLog();
  const projector = startProjector(pool, log);
  await projector.ready;
  await append(log, 'durable');
  await shows(pool, 'durable');
  await append(log, 'not yet on disk');
  await shows(pool, 'not yet on disk');
  const { number } = await live(pool);
  await pool.query(`
    with back as (update read_model.generation set position = 1 where number = ${number})
    delete from images_${number}.image where id = '${uuid('not yet on disk')}'`);
  await shows(pool, 'not yet on disk');
  assert.equal((await live(pool)).position, 2n);
  await projector.stop();
});
