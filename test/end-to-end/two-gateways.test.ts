import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { chanceOf } from '../faults/chance.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts';
import type { Answer } from '../support/http.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';
import { alternating, type Sent, sendTo } from './gateways/client.ts';
import { modelled } from './gateways/model.ts';

const leaseMs = '2000';
const bytes = randomBytes(300_000);
const direct = { json: { method: { name: 'glance-direct' } } };

let daguerre: Daguerre;
let second: GatewayProcess;

before(async () => {
  daguerre = await startDaguerre({ args: ['--lease-ms', leaseMs] });
  second = await startGatewayProcess(daguerre, { DAGUERRE_LEASE_MS: leaseMs });
});
after(async () => {
  await second?.stop();
  await daguerre?.stop();
});

const onA = (method: string, path: string, asked?: Sent): Promise<Answer> =>
  sendTo(daguerre.url, method, path, asked);
const onB = (method: string, path: string, asked?: Sent): Promise<Answer> =>
  sendTo(second.url, method, path, asked);

async function created(on: typeof onA, document: object = {}): Promise<string> {
  const json = { disk_format: 'raw', container_format: 'bare', ...document };
  const answer = await on('POST', '/v2/images', { json });
  assert.equal(answer.status, 201, answer.text);
  return String(answer.json().id);
}

const statusOn = async (on: typeof onA, id: string): Promise<unknown> =>
  (await on('GET', `/v2/images/${id}`)).json().status;

/** An upload whose last bytes wait until `finish`. */
function slowUpload(url: string, id: string) {
  const sent = request(`${url}/v2/images/${id}/file`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/octet-stream', 'Content-Length': bytes.length },
  });
  const answered = once(sent, 'response').then(
    ([response]) => {
      response.resume();
      return response.statusCode as number;
    },
    () => 0,
  );
  sent.write(bytes.subarray(0, bytes.length / 2));
  return { answered, finish: () => sent.end(bytes.subarray(bytes.length / 2)) };
}

describe('two gateways without affinity', () => {
  showLogOfFailures(() => daguerre);

  test('show each at once what the other has answered', async () => {
    const id = await created(onA, { name: 'one' });
    assert.equal((await onB('GET', `/v2/images/${id}`)).json().name, 'one');
    const patch = [{ op: 'replace', path: '/name', value: 'two' }];
    assert.equal((await onB('PATCH', `/v2/images/${id}`, { patch })).status, 200);
    assert.equal((await onA('GET', `/v2/images/${id}`)).json().name, 'two');
    assert.equal((await onA('PUT', `/v2/images/${id}/tags/t`)).status, 204);
    assert.deepEqual((await onB('GET', `/v2/images/${id}`)).json().tags, ['t']);
    assert.equal((await onB('DELETE', `/v2/images/${id}`)).status, 204);
    assert.equal((await onA('GET', `/v2/images/${id}`)).status, 404);
  });

  test('show an upload through one on the other, from saving to active', async () => {
    const id = await created(onB);
    const upload = slowUpload(daguerre.url, id);
    await until('the other to show it', async () => (await statusOn(onB, id)) === 'saving');
    assert.equal((await onB('PUT', `/v2/images/${id}/file`, { bytes })).status, 409);
    upload.finish();
    assert.equal(await upload.answered, 204);
    assert.equal(await statusOn(onB, id), 'active');
    assert.ok((await onB('GET', `/v2/images/${id}/file`)).bytes.equals(bytes));
  });

  test('end an upload through one when the image is deleted through the other: 410', async () => {
    const id = await created(onA);
    const upload = slowUpload(daguerre.url, id);
    await until('the other to show it', async () => (await statusOn(onB, id)) === 'saving');
    assert.equal((await onB('DELETE', `/v2/images/${id}`)).status, 204);
    upload.finish();
    assert.equal(await upload.answered, 410);
    assert.equal((await onA('GET', `/v2/images/${id}`)).status, 404);
  });

  test('import through one what was staged through the other', async () => {
    const id = await created(onA);
    assert.equal((await onA('PUT', `/v2/images/${id}/stage`, { bytes })).status, 204);
    assert.equal(await statusOn(onB, id), 'uploading');
    assert.equal((await onB('POST', `/v2/images/${id}/import`, direct)).status, 202);
    assert.notEqual(await statusOn(onA, id), 'uploading');
    await until('it to be active', async () => (await statusOn(onA, id)) === 'active');
    assert.ok((await onB('GET', `/v2/images/${id}/file`)).bytes.equals(bytes));
    const { tasks } = (await onA('GET', `/v2/images/${id}/tasks`)).json();
    assert.equal((tasks as { status: string }[])[0]?.status, 'success');
  });

  test('let one of two win that want the same, however often they meet', async () => {
    for (let round = 0; round < 10; round += 1) {
      const id = await created(onA);
      const both = (method: string, part: string, asked: Sent) =>
        Promise.all([onA, onB].map((on) => on(method, `/v2/images/${id}/${part}`, asked)));
      const outcome = async (answers: Promise<readonly Answer[]>) =>
        (await answers).map(({ status }) => status).sort();
      assert.deepEqual(await outcome(both('PUT', 'stage', { bytes })), [204, 409]);
      assert.deepEqual(await outcome(both('POST', 'import', direct)), [202, 409]);
      await until('it to be active', async () => (await statusOn(onB, id)) === 'active');
      const again = await created(onB);
      const uploads = [onA, onB].map((on) => on('PUT', `/v2/images/${again}/file`, { bytes }));
      assert.deepEqual(await outcome(Promise.all(uploads)), [204, 409]);
    }
  });

  test('are one to clients that change the gateway with every request, 480 times', async (t) => {
    const seed = seedOfThisRun();
    const chance = chanceOf(seed);
    const urls = [daguerre.url, second.url];
    const clients = [0, 1, 2, 3].map((one) =>
      modelled(alternating(urls, one), chance.fork(`client ${one}`), `client-${seed}-${one}`),
    );
    t.diagnostic(`DAGUERRE_TEST_SEED=${seed}`);
    await Promise.all(clients.map((client) => client.goOn(120)));
    for (const client of clients) await client.downloads();
    t.diagnostic(clients.map(({ done }) => JSON.stringify(done)).join('\n'));
  });

  test('outlive one another: what one received is undone, and the other answers all the time', async () => {
    const id = await created(onB);
    const upload = slowUpload(second.url, id);
    await until('the upload to be seen', async () => (await statusOn(onA, id)) === 'saving');
    const staged = await created(onB);
    assert.equal((await onB('PUT', `/v2/images/${staged}/stage`, { bytes })).status, 204);
    let asking = true;
    const failures: string[] = [];
    let answers = 0;
    const client = (async () => {
      while (asking) {
        const made = await onA('POST', '/v2/images', { json: { name: 'meanwhile' } });
        if (made.status !== 201) failures.push(`${made.status} ${made.text}`);
        const shown = await onA('GET', `/v2/images/${made.json().id}`);
        if (shown.status !== 200) failures.push(`${shown.status} ${shown.text}`);
        answers += 2;
      }
    })();
    const killedAt = Date.now();
    await second.kill();
    assert.equal(await upload.answered, 0);
    await until('the upload to be undone', async () => (await statusOn(onA, id)) === 'queued');
    assert.ok(Date.now() - killedAt < 15_000, `${Date.now() - killedAt} ms`);
    assert.match(
      String((await onA('GET', `/v2/images/${id}`)).json().os_glance_failed_upload),
      /died/,
    );
    assert.equal((await onA('PUT', `/v2/images/${id}/file`, { bytes })).status, 204);
    assert.equal((await onA('POST', `/v2/images/${staged}/import`, direct)).status, 202);
    await until('the import to end', async () => (await statusOn(onA, staged)) === 'active');
    asking = false;
    await client;
    assert.deepEqual(failures, []);
    assert.ok(answers > 0);
    second = await startGatewayProcess(daguerre, { DAGUERRE_LEASE_MS: leaseMs });
    assert.equal(await statusOn(onB, id), 'active');
  });

  test('outlive the other way round, too', async () => {
    const id = await created(onA);
    const upload = slowUpload(daguerre.url, id);
    await until('the upload to be seen', async () => (await statusOn(onB, id)) === 'saving');
    await daguerre.kill('gateway');
    assert.equal(await upload.answered, 0);
    assert.equal((await onB('GET', `/v2/images/${id}`)).status, 200);
    await until('the upload to be undone', async () => (await statusOn(onB, id)) === 'queued');
    assert.equal((await onB('PUT', `/v2/images/${id}/file`, { bytes })).status, 204);
    await until('the first to be back', async () => {
      const shown = await onA('GET', `/v2/images/${id}`).catch(() => undefined);
      return shown?.status === 200;
    });
    assert.equal(await statusOn(onA, id), 'active');
  });
});
