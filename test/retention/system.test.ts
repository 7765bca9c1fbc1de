import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Pool } from 'pg';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { run } from '../cli/program.ts';
import { imageApi } from '../support/api.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';

let daguerre: Daguerre;
let pool: Pool;

before(async () => {
  daguerre = await startDaguerre({ args: ['--gateways', '2', '--personal-records-days', '30'] });
  pool = postgresPool(daguerre.postgresUrl, { log: silent, max: 1 });
});
after(async () => {
  await pool.end();
  await daguerre.stop();
});

const cli = (...args: readonly string[]) => run([...args, '--data-dir', daguerre.dataDir]);

describe('A running system', { concurrency: false }, () => {
  test('deletes nothing of a held project at any gateway once the command has ended', async () => {
    const [first = '', second = ''] = daguerre.urls;
    assert.notEqual(second, '');
    const ids = await Promise.all([imageApi(first).create(), imageApi(second).create()]);
    const reason = 'case 17';
    const placed = await cli('hold', 'place', '--project', 'default', '--reason', reason);
    assert.equal(placed.code, 0, placed.stderr);
    for (const url of daguerre.urls)
      for (const id of ids) {
        const answer = await fetch(`${url}/v2/images/${id}`, { method: 'DELETE' });
        assert.equal(answer.status, 409);
        assert.match(await answer.text(), /The project default is under legal hold: case 17/);
      }
    const listed = await cli('hold', 'list');
    assert.equal(listed.stdout, 'project  default  case 17\n', listed.stderr);
    const lifted = await cli('hold', 'lift', '--project', 'default');
    assert.equal(lifted.code, 0, lifted.stderr);
    for (const id of ids) await imageApi(second).call(204, `images/${id}`, { method: 'DELETE' });
    assert.equal((await cli('hold', 'list')).stdout, 'nothing is under hold\n');
    const unknown = await cli('hold', 'place', '--image', 'x', '--reason', reason);
    assert.equal(unknown.code, 2);
  });

  test('forgets who stood behind old events, and every proof holds', async () => {
    const headers = { 'X-Auth-Token': 'erna:red:member', 'Content-Type': 'application/json' };
    const request = { method: 'POST', headers, body: '{}' };
    assert.equal((await fetch(`${daguerre.url}/v2/images`, request)).status, 201);
    const { rowCount } = await pool.query(
      `update personal_records set recorded_at = now() - interval '40 days' where user_id = 'erna'`,
    );
    assert.equal(rowCount, 1);
    await until('it to be forgotten', async () => {
      const { rows } = await pool.query(`select from personal_records where user_id = 'erna'`);
      return rows.length === 0;
    });
    const { code, stdout, stderr } = await cli('audit', 'check');
    assert.equal(code, 0, stdout + stderr);
  });
});
