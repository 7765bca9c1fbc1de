import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { NatsServer } from '../support/nats.ts';
import { profileOfThisRun } from '../support/profile.ts';
import type { RedisServer } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { contentOf } from './content.ts';
import { assertHolds, newImage, shownImage, slowly, statusOf } from './images.ts';
import { rowsThatDiffer } from './read-model-check.ts';
import { startTree, type Tree } from './tree.ts';

// P1: what is not the log can be deleted at any moment.

let tree: Tree;
let pool: pg.Pool;
before(async () => {
  tree = await startTree(['--lease-ms', '2000']);
  pool = new pg.Pool({ connectionString: tree.now().postgresUrl, max: 2 });
});
after(async () => {
  await pool?.end();
  await tree?.stop();
});

const uploads = 10;

/** Uploads at once, of which each must become active, while `harm` is done again and again. */
async function uploadsUnder(harm: () => Promise<void>): Promise<void> {
  let over = false;
  const harming = async (): Promise<void> => {
    while (!over) {
      await harm();
      await delay(50);
    }
  };
  const uploading = async (): Promise<void> => {
    await Promise.all(
      Array.from({ length: uploads }, async (_, index) => {
        const content = contentOf(`upload ${index}`, 1 + index * 300_000);
        const id = await newImage(tree.api);
        const answer = await tree.api.upload(id, slowly(content, 200 * index, index % 2 === 0));
        assert.equal(statusOf(answer), 204, answer.kind === 'answered' ? String(answer.body) : '');
        await assertHolds(tree.api, id, content);
      }),
    );
  };
  await Promise.all([
    harming(),
    uploading().finally(() => {
      over = true;
    }),
  ]);
}

/** As by a machine that comes back with an empty disk. */
async function beganAnew(server: NatsServer | RedisServer): Promise<void> {
  await server.kill();
  await server.forget();
  await server.start();
}

function ifDeadlocked(error: unknown): void {
  if (!(error instanceof pg.DatabaseError) || error.code !== '40P01') throw error;
}

test('every upload becomes active while the queue is emptied again and again', async () => {
  const { servers } = tree;
  if (servers !== undefined) return uploadsUnder(() => servers.redis.flush());
  const tables = await until('the job tables', async () => {
    const { rows } = await pool.query<{ name: string }>(`
      select format('%I.%I', schemaname, tablename) as name
      from pg_tables
      where schemaname = 'bullmq' and tablename not like '%migration%'`);
    return rows.length > 0 && rows.map(({ name }) => name);
  });
  await uploadsUnder(async () => {
    // One that deadlocks with a worker that works on the job is emptied the next time.
    for (const table of tables) await pool.query(`truncate ${table} cascade`).catch(ifDeadlocked);
  });
});

test('every upload becomes active though all of the queue is lost in the middle', async () => {
  const { servers } = tree;
  let left = 3;
  await uploadsUnder(async () => {
    left -= 1;
    if (left < 0) return;
    if (servers === undefined) await pool.query('drop schema if exists bullmq cascade');
    else await beganAnew(servers.redis);
  });
});

if (profileOfThisRun() === 'distributed')
  test('every upload becomes active though all that the bus keeps is lost in the middle', async () => {
    const { servers } = tree;
    let left = 3;
    await uploadsUnder(async () => {
      left -= 1;
      if (servers !== undefined && left >= 0) await beganAnew(servers.nats);
    });
  });

test('every upload becomes active while heartbeats and leases are deleted again and again', () =>
  uploadsUnder(async () => {
    await pool.query('delete from heartbeats');
    await pool.query('delete from leases');
  }));

test('a read model that is dropped is there again, row for row', async () => {
  const content = contentOf('before the loss', 100_000);
  const id = await newImage(tree.api);
  assert.equal(statusOf(await tree.api.upload(id, slowly(content, 0))), 204);
  const { rows } = await pool.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname like 'images%'`,
  );
  assert.ok(rows.length >= 2, 'there are no tables of the read model');
  await pool.query(`drop schema ${rows.map(({ name }) => name).join(', ')} cascade`);
  await pool.query('truncate read_model.generation');
  await until('the image to show', async () => {
    const answer = await tree.api.json('GET', `/v2/images/${id}`);
    return statusOf(answer) === 200;
  });
  await assertHolds(tree.api, id, content);
  const next = await newImage(tree.api);
  assert.equal((await shownImage(tree.api, next)).status, 'queued');
  assert.deepEqual(await rowsThatDiffer(tree.now().postgresUrl), []);
});
