import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pool } from 'pg';
import { checkpointMover } from '../../infra/read-model/checkpoints.ts';
import { testDatabase } from '../support/postgres.ts';
import { migrations } from './read-model.ts';

/** Three live generations at 5, and one that is retired. */
async function generations(pool: Pool): Promise<readonly number[]> {
  const { rows } = await pool.query<{ number: bigint }>(`
    insert into read_model.generation (model, version, state, position)
    values ('a', 1, 'live', 5), ('b', 1, 'live', 5), ('c', 1, 'live', 5), ('d', 1, 'retired', 5)
    returning number`);
  return rows.map(({ number }) => Number(number));
}

async function positions(pool: Pool): Promise<readonly bigint[]> {
  const { rows } = await pool.query<{ position: bigint }>(
    'select position from read_model.generation order by number',
  );
  return rows.map(({ position }) => position);
}

test('moves of one turn go together, and each is fenced for itself', async () => {
  const { pool } = await testDatabase(migrations);
  const [a = 0, b = 0, c = 0, d = 0] = await generations(pool);
  let statements = 0;
  const counting = new Proxy(pool, {
    get(target, name) {
      if (name === 'query') statements += 1;
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const mover = checkpointMover(counting);
  const moved = await Promise.all([
    mover.move(a, 5n, 9n),
    mover.move(b, 4n, 9n),
    mover.move(c, 5n, 7n),
    mover.move(d, 5n, 9n),
  ]);
  assert.deepEqual(moved, [true, false, true, false]);
  assert.deepEqual(await positions(pool), [9n, 5n, 7n, 5n]);
  assert.equal(statements, 1);
});

test('every move is announced', async () => {
  const { pool } = await testDatabase(migrations);
  const [a = 0, b = 0] = await generations(pool);
  const client = await pool.connect();
  try {
    const heard: (string | undefined)[] = [];
    client.on('notification', ({ payload }) => heard.push(payload));
    await client.query('listen read_model_checkpoint');
    const mover = checkpointMover(pool);
    await Promise.all([mover.move(a, 5n, 9n), mover.move(b, 5n, 8n)]);
    while (heard.length < 2) await client.query('select 1');
    assert.deepEqual(heard.sort(), ['a 9', 'b 8']);
  } finally {
    client.release(true);
  }
});

test('a statement that fails fails for all who asked', async () => {
  const { pool } = await testDatabase([]);
  const mover = checkpointMover(pool);
  await Promise.all([
    assert.rejects(mover.move(1, 0n, 1n), /read_model/),
    assert.rejects(mover.move(2, 0n, 1n), /read_model/),
  ]);
});
