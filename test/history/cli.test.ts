import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type Asked, ask } from '../support/http.ts';

const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const alice = 'alice:research:member';
const auditor = 'otto:office:auditor';

describe('daguerre history', () => {
  let daguerre: Daguerre;
  let id: string;

  const request = (path: string, token: string, asked: Asked = {}) =>
    ask(daguerre.url, path, { ...asked, headers: { 'X-Auth-Token': token, ...asked.headers } });
  const run = (...args: readonly string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const command = [cli, ...args, '--data-dir', daguerre.dataDir];
      execFile(process.execPath, command, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
      );
    });
  const documents = async (): Promise<unknown> =>
    (await request(`/history/v1/images/${id}`, auditor)).json().changes;

  before(async () => {
    daguerre = await startDaguerre();
    const document = { name: 'cirros', disk_format: 'raw', container_format: 'bare' };
    const created = await request('/v2/images', alice, {
      method: 'POST',
      body: JSON.stringify(document),
    });
    id = String(created.json().id);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const body = Buffer.from('bytes');
    await request(`/v2/images/${id}/file`, alice, { method: 'PUT', headers, body });
    await request(`/v2/images/${id}`, 'eve:research:reader', { method: 'DELETE' });
    await request(`/v2/images/${id}`, alice, { method: 'DELETE' });
  });
  after(() => daguerre.stop());

  test('prints a line per change, and a line below for each value', async () => {
    const { code, stdout } = await run('history', id.toUpperCase());
    assert.equal(code, 0);
    const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
    for (const line of [
      `^${time}  ImageCreated  by alice of research from 127.0.0.1, allowed by add_image  \\(position \\d+\\)$`,
      '^    name: - -> "cirros"$',
      `^${time}  ImageActivated  by the worker  \\(position \\d+\\)$`,
      '^    status: "saving" -> "active"$',
      `^${time}  REFUSED  by eve of research from 127.0.0.1$`,
      '^    DELETE /v2/images/:imageId: delete_image says no$',
      '^    status: "active" -> "deleted"$',
    ])
      assert.match(stdout, new RegExp(line, 'm'));
  });

  test('prints the documents of the API with --json', async () => {
    const { stdout } = await run('history', id, '--json');
    const printed = JSON.parse(stdout);
    // The bytes go a moment later, when nobody waits.
    assert.deepEqual(
      printed.filter(({ type }: { type: string }) => type !== 'ImageDataRemoved'),
      ((await documents()) as { type: string }[]).filter(({ type }) => type !== 'ImageDataRemoved'),
    );
    const [created, started] = printed;
    assert.equal(created.actor.person.remote_address, '127.0.0.1');
    const active = printed.find(({ type }: { type: string }) => type === 'ImageActivated');
    assert.equal(active.correlation_id, started.correlation_id, 'the upload led to it');
  });

  test('says so of an image that never was, and of nothing', async () => {
    const never = await run('history', '00000000-0000-4000-8000-000000000000');
    assert.equal(never.code, 1);
    assert.match(never.stderr, /never was an image/);
    assert.equal((await run('history')).code, 2);
    assert.match((await run('history', '--help')).stdout, /--json/);
  });

  test('is the same after its read model was dropped, and after a rebuild', async () => {
    const whole = await documents();
    const rebuilt = await run('rebuild', 'history');
    assert.equal(rebuilt.code, 0, rebuilt.stderr);
    assert.deepEqual(await documents(), whole);
    const client = new pg.Client(daguerre.postgresUrl);
    await client.connect();
    await client.query('drop schema history cascade');
    await client.end();
    for (;;) {
      const { status, json } = await request(`/history/v1/images/${id}`, auditor);
      if (status === 200) {
        assert.deepEqual(json().changes, whole);
        break;
      }
      assert.equal(status, 503);
    }
  });
});
