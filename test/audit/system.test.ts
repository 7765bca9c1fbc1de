import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import { type AuditMemory, postgresAuditMemory } from '../../infra/audit/memory.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { imageApi } from '../support/api.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';

const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const verifier = fileURLToPath(new URL('../../infra/audit/verifier.js', import.meta.url));

let directory: string;
let daguerre: Daguerre;
let pool: Pool;
let memory: AuditMemory;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daguerre-audited-'));
  const kept = join(directory, 'kept');
  daguerre = await startDaguerre({
    args: [
      '--audit-checkpoint-ms',
      '100',
      '--audit-publish-dir',
      kept,
      '--audit-publish-seconds',
      '1',
    ],
  });
  pool = postgresPool(daguerre.postgresUrl, { log: silent, max: 2 });
  memory = postgresAuditMemory(pool);
});
after(async () => {
  await pool.end();
  await daguerre.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: readonly string[]): Promise<{ code: number; said: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [...args], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), said: stdout + stderr }),
    );
  });
const audit = (...args: readonly string[]) =>
  run(cli, 'audit', ...args, '--data-dir', daguerre.dataDir);
const status = async (): Promise<string> =>
  (await run(cli, 'status', '--data-dir', daguerre.dataDir)).said;

/** Until everything that happened so far is signed; gives how much that is. */
const allSigned = (): Promise<number> =>
  until('all of it to be signed', async () => {
    const { rows } = await pool.query(`
      select t.size, c.position as head, t.position, (select max(size) from audit_checkpoints) as signed
      from audit_tree as t, event_counter as c`);
    const [row] = rows;
    if (row === undefined || row.head !== row.position || row.signed !== row.size) return undefined;
    return Number(row.size);
  });

const publicKey = async (): Promise<string> => (await memory.keys()).at(-1)?.verifierKey ?? '';

describe('A running system', { concurrency: false }, () => {
  test('signs what happens, and its bundle verifies offline and alone', async () => {
    const api = imageApi(daguerre.url);
    const id = await api.create({ name: 'audited' });
    await api.upload(id, Buffer.from('some bytes'));
    const size = await allSigned();
    assert.ok(size > 3);
    const file = join(directory, 'image.ndjson');
    assert.equal((await audit('bundle', id, '-o', file)).code, 0);
    const key = await publicKey();
    for (const program of [[cli, 'audit', 'verify'], [verifier]]) {
      const { code, said } = await run(...program, file, '--key', key);
      assert.equal(code, 0, said);
      assert.match(said, /^verified: image [0-9a-f-]{36}, \d+ compared/);
    }
    const wrong = join(directory, 'wrong.ndjson');
    await writeFile(wrong, (await readFile(file, 'utf8')).replace('audited', 'Audited'));
    const { code, said } = await run(cli, 'audit', 'verify', wrong, '--key', key);
    assert.equal(code, 1);
    assert.match(said, /^altered: the event of index 0, at position 1, is not what was signed$/m);
    const keyFile = join(daguerre.dataDir, 'audit', 'key');
    assert.equal((await stat(keyFile)).mode & 0o777, 0o600);
  });

  test('goes on signing the same tree when the projector is killed', async () => {
    const api = imageApi(daguerre.url);
    const first = await allSigned();
    const note = await (await fetch(`${daguerre.url}/audit/v1/checkpoint`)).text();
    const seen = join(directory, 'seen');
    await writeFile(seen, note);
    for (let round = 0; round < 2; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => api.create()));
      await daguerre.kill('projector');
      await api.create();
    }
    assert.ok((await allSigned()) >= first + 22);
    const file = join(directory, 'all.ndjson');
    assert.equal((await audit('bundle', '--all', '-o', file)).code, 0);
    const key = await publicKey();
    const { code, said } = await run(verifier, file, '--key', key, '--seen', seen);
    assert.equal(code, 0, said);
    const kept = join(directory, 'kept');
    await until('checkpoints to be kept elsewhere', async () => {
      const names = await readdir(join(kept, 'checkpoints')).catch(() => []);
      return names.length > 1;
    });
  });

  test('rotates its key, and a verifier that knows the old one alone follows', async () => {
    const old = await publicKey();
    await allSigned();
    const { code, said } = await audit('keys', 'rotate', '--overlap-hours', '1');
    assert.equal(code, 0, said);
    const key = await publicKey();
    assert.notEqual(key, old);
    await imageApi(daguerre.url).create();
    await allSigned();
    assert.equal((await audit('checkpoint')).said.match(/^— /gm)?.length, 2);
    const file = join(directory, 'rotated.ndjson');
    await audit('bundle', '--all', '-o', file);
    for (const known of [old, key]) {
      const verified = await run(cli, 'audit', 'verify', file, '--key', known);
      assert.equal(verified.code, 0, verified.said);
    }
  });

  test('erases what is personal of a user, and every proof holds', async () => {
    const headers = { 'X-Auth-Token': 'erna:red:member', 'Content-Type': 'application/json' };
    const created = await fetch(`${daguerre.url}/v2/images`, {
      method: 'POST',
      headers,
      body: '{}',
    });
    assert.equal(created.status, 201);
    assert.match((await audit('erase', 'erna')).said, /^erna: 1 records erased$/m);
    await allSigned();
    const { code, said } = await audit('check');
    assert.equal(code, 0, said);
    assert.equal((await memory.watch()).checkedSize, (await memory.newest())?.size);
  });

  test('says where its log was changed, raises an alarm, and takes it back when all is as it was', async () => {
    await allSigned();
    const change = async (data: string): Promise<void> => {
      await pool.query('alter table events disable trigger events_never_change');
      await pool.query('update events set data = $1 where position = 2', [data]);
      await pool.query('alter table events enable trigger events_never_change');
    };
    const { rows } = await pool.query('select data::text from events where position = 2');
    await change('{"put": "in"}');
    const { code, said } = await audit('check');
    assert.equal(code, 1);
    assert.match(said, /^altered: the event of index 1, at position 2, is not what was signed$/m);
    assert.match((await audit('status')).said, /^alarm +the event of index 1,/m);
    assert.match(await status(), /^audit +ALARM since \S+: the event of index 1,/m);
    await until('the alarm to be in the metrics', async () => {
      const page = await (await fetch(`${daguerre.url}/metrics`)).text();
      return /^daguerre_audit_alarm(\{[^}]*\})? 1$/m.test(page);
    });
    const entries = `${daguerre.url}/audit/v1/tile/entries/000.p/3`;
    const headers = { 'X-Auth-Token': 'otto:office:auditor' };
    assert.equal((await fetch(entries, { headers })).status, 500);
    await change(rows[0].data);
    assert.equal((await fetch(entries, { headers })).status, 200);
    const again = await audit('check');
    assert.deepEqual([again.code, (await memory.watch()).alarm], [0, null], again.said);
    const well = await status();
    assert.match(well, /^audit +signed at position \d+, \d+ behind$/m);
    assert.doesNotMatch(well, /ALARM/);
  });

  test('makes a tree again that was thrown away', async () => {
    const size = await allSigned();
    assert.equal((await audit('rebuild')).code, 0);
    assert.ok((await allSigned()) >= size);
    const { code, said } = await audit('check');
    assert.equal(code, 0, said);
  });
});
