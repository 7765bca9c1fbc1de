import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts';
import { type Asked, ask, rawConnection } from '../support/http.ts';
import { until } from '../support/until.ts';

const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const alice = 'alice:research:member';
const admin = 'root:office:admin';
const auditor = 'otto:office:auditor';
const recording = '/history/v1/projects/research/recording';
const large = randomBytes(32 * 1024 * 1024);

interface Told {
  readonly state: string;
  readonly position: string;
  readonly last_position: string;
  readonly asked: readonly [number, number];
  readonly size: number;
  readonly actor: { readonly user_id: string; readonly person: object };
}

describe('downloads of several gateways', () => {
  let daguerre: Daguerre;
  let second: GatewayProcess;

  const request = (url: string, path: string, token: string, asked: Asked = {}) =>
    ask(url, path, { ...asked, headers: { 'X-Auth-Token': token, ...asked.headers } });
  const run = (...args: readonly string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const command = [cli, ...args, '--data-dir', daguerre.dataDir];
      execFile(process.execPath, command, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
      );
    });

  const imageOf = async (bytes: Uint8Array): Promise<string> => {
    const body = JSON.stringify({ name: 'x', disk_format: 'raw', container_format: 'bare' });
    const created = await request(daguerre.url, '/v2/images', alice, { method: 'POST', body });
    const id = String(created.json().id);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const put = { method: 'PUT', headers, body: bytes };
    const uploaded = await request(daguerre.url, `/v2/images/${id}/file`, alice, put);
    assert.equal(uploaded.status, 204, uploaded.text);
    return id;
  };
  const downloadsOf = async (id: string): Promise<readonly Told[]> => {
    const path = `/history/v1/images/${id}/downloads?limit=1000`;
    const { status, text, json } = await request(daguerre.url, path, auditor);
    assert.equal(status, 200, text);
    return json().downloads as Told[];
  };

  before(async () => {
    daguerre = await startDaguerre();
    second = await startGatewayProcess(daguerre);
  });
  after(async () => {
    await second.stop();
    await daguerre.stop();
  });

  test('killed in the middle of one leave it on record, and say that its end is not known', async () => {
    const id = await imageOf(large);
    const doomed = await startGatewayProcess(daguerre);
    const { socket, sofar } = await rawConnection(doomed.url);
    socket.on('error', () => {});
    socket.write(
      `GET /v2/images/${id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${alice}\r\nRange: bytes=7-\r\n\r\n`,
    );
    await until('bytes to come', () => sofar().includes('206 Partial'));
    socket.pause();
    const [running] = await downloadsOf(id);
    assert.equal(running?.state, 'running');
    await doomed.kill();
    const told = await until('it to be known for dead', async () => {
      const [one] = await downloadsOf(id);
      return one?.state === 'unknown' && one;
    });
    socket.destroy();
    assert.deepEqual(told.asked, [7, large.length]);
    assert.equal(told.actor.user_id, 'alice');
    await until('the operator to be told so', async () =>
      (await run('history', id, '--downloads')).stdout.includes(
        'began with 7-33554431 of 33554432 bytes, and how it ended is not known',
      ),
    );
    await until('another gateway to say in the log that it is lost', async () => {
      const [one] = await downloadsOf(id);
      return one !== undefined && BigInt(one.last_position) > BigInt(one.position);
    });
  });

  test('are recorded or not from the very answer on that says so, at every gateway', async () => {
    const id = await imageOf(randomBytes(100));
    const path = `/v2/images/${id}/file`;
    const urls = [daguerre.url, second.url];
    const expected: string[] = [];
    const read = async (turn: number, isOn: boolean): Promise<void> => {
      await Promise.all(
        urls.map(async (url, index) => {
          const user = `u${turn}-${index}`;
          assert.equal((await request(url, path, `${user}:research:member`)).status, 200);
          if (isOn) expected.push(user);
        }),
      );
    };
    await read(0, true);
    for (let turn = 1; turn <= 40; turn += 1) {
      const isOn = turn % 2 === 0;
      const body = JSON.stringify({ downloads: isOn ? 'on' : 'off' });
      const url = urls[turn % 3 === 0 ? 1 : 0] ?? '';
      const turned = await request(url, recording, admin, { method: 'PUT', body });
      assert.equal(turned.status, 200, turned.text);
      await read(turn, isOn);
    }
    for (const [turn, word] of [
      [41, 'off'],
      [42, 'default'],
    ] as const) {
      const turned = await run('downloads', word, '--project', 'research');
      assert.equal(turned.code, 0, turned.stderr);
      assert.equal(turned.stdout, word === 'off' ? 'off\n' : 'default (on)\n');
      await read(turn, word !== 'off');
    }
    const users = (await downloadsOf(id)).map(({ actor }) => actor.user_id);
    assert.deepEqual(users.toSorted(), expected.toSorted());
    const { changes } = (
      await request(daguerre.url, '/history/v1/projects/research', auditor)
    ).json();
    assert.equal((changes as object[]).length, 42);
  });

  test('end, are told of with who it was, and are the same after a rebuild', async () => {
    const bytes = randomBytes(3_000_000);
    const id = await imageOf(bytes);
    for (const start of [0, 1_000_000, 2_500_000]) {
      const headers = { Range: `bytes=${start}-${start + 499_999}` };
      await request(second.url, `/v2/images/${id}/file`, alice, { headers });
    }
    const ended = await until('the end', async () => {
      const all = await downloadsOf(id);
      return all[0]?.state === 'ended' && all;
    });
    assert.equal(ended.length, 1);
    const printed = await run('history', id, '--downloads');
    assert.match(
      printed.stdout,
      /1500000 bytes of 3000000 in 3 requests: 0-499999, 1000000-1499999, 2500000-2999999, until /,
    );
    assert.deepEqual(JSON.parse((await run('history', id, '--downloads', '--json')).stdout), ended);
    assert.equal((await run('rebuild', 'downloads')).code, 0);
    assert.deepEqual(await downloadsOf(id), ended);
    assert.equal((await run('downloads', 'maybe')).code, 2);
    assert.equal((await run('downloads', '--project', 'research')).stdout, 'default (on)\n');
  });
});
