import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { generousMs, until } from '../support/until.ts';
import { answers, isSigned, type Received, type Receiver, receiver } from './receiver.ts';

interface Event {
  readonly id: string;
  readonly position: string;
}

const running = new Set<Daguerre>();
after(() => Promise.all([...running].map((daguerre) => daguerre.stop())));

const settings = ({ port }: Receiver): Readonly<Record<string, string>> => ({
  DAGUERRE_WEBHOOK_ALLOW_HTTP: 'true',
  DAGUERRE_WEBHOOK_ALLOWED_PORTS: String(port),
  DAGUERRE_WEBHOOK_ALLOWED_CIDRS: '127.0.0.1/32',
  DAGUERRE_WEBHOOK_RETRY_SECONDS: '1',
  DAGUERRE_WEBHOOK_TIMEOUT_MS: '2000',
});

async function start(hook: Receiver): Promise<Daguerre> {
  const daguerre = await startDaguerre({ env: settings(hook) });
  running.add(daguerre);
  return daguerre;
}

/** A second worker beside the tree's own. */
async function startWorker({ dataDir, postgresUrl }: Daguerre, hook: Receiver) {
  const main = fileURLToPath(new URL('../../apps/worker/main.js', import.meta.url));
  const worker = spawn(process.execPath, [main], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...settings(hook),
      DAGUERRE_DATA_DIR: dataDir,
      DAGUERRE_POSTGRES_URL: postgresUrl,
      DAGUERRE_LOG_LEVEL: 'silent',
    },
  });
  const ended = once(worker, 'exit');
  await once(worker, 'message');
  return {
    async stop() {
      worker.kill('SIGTERM');
      await ended;
    },
  };
}

async function call(
  { url }: Daguerre,
  method: string,
  path: string,
  document?: object,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(`${url}${path}`, {
    method,
    signal: AbortSignal.timeout(generousMs),
    ...(document === undefined
      ? {}
      : { body: JSON.stringify(document), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

const register = async (daguerre: Daguerre, hook: Receiver) =>
  (await call(daguerre, 'POST', '/webhooks/v1/endpoints', { url: hook.url })) as {
    readonly id: string;
    readonly secret: string;
  };

/** How many images each has been given: nothing else happens there that anybody is told. */
const created = new WeakMap<Daguerre, number>();

async function create(daguerre: Daguerre, count: number): Promise<void> {
  const images = Array.from({ length: count }, () =>
    call(daguerre, 'POST', '/v2/images', { name: 'x' }),
  );
  await Promise.all(images);
  created.set(daguerre, (created.get(daguerre) ?? 0) + count);
}

const idOf = ({ headers }: Received): unknown => headers['webhook-id'];

/** Waits until every event that pages have was delivered; gives how many came more than once. */
async function repeats(daguerre: Daguerre, { accepted }: Receiver): Promise<number> {
  // A read model that was dropped is not there for a moment, and none is waited for by who creates.
  const events = await until('pages of all events', async () => {
    const page = await call(daguerre, 'GET', '/events/v1?limit=1000').catch(() => undefined);
    const told = (page?.events ?? []) as readonly Event[];
    return told.length >= (created.get(daguerre) ?? 0) && told;
  });
  const wanted = events.map(({ id }) => id).sort();
  await until(`${wanted.length} events`, () => {
    const ids = new Set(accepted.map(idOf));
    return wanted.every((id) => ids.has(id));
  });
  const ids = accepted.map(idOf);
  assert.deepEqual([...new Set(ids)].sort(), wanted);
  for (const { headers, document } of accepted) {
    assert.equal(headers['webhook-id'], document.id);
    assert.deepEqual(
      document,
      events.find(({ id }) => id === document.id),
    );
  }
  return ids.length - wanted.length;
}

describe('webhooks of a running Daguerre', () => {
  test('get everything though the process that tells them is killed at once after an answer', async (t) => {
    const hook = await receiver();
    const daguerre = await start(hook);
    const { id, secret } = await register(daguerre, hook);
    let kills = 0;
    hook.answerWith((received, response) => {
      response.on('finish', () => {
        if (hook.accepted.length % 25 !== 24 || kills >= 3) return;
        kills += 1;
        const worker = daguerre.parts().worker;
        if (worker !== undefined) process.kill(worker, 'SIGKILL');
      });
      answers(204)(received, response);
    });
    for (let round = 0; round < 10; round += 1) await create(daguerre, 12);
    const repeated = await repeats(daguerre, hook);
    assert.equal(kills, 3);
    for (const received of hook.accepted) assert.ok(isSigned(received, secret));
    t.diagnostic(`${kills} kills, ${hook.accepted.length} deliveries, ${repeated} of them again`);
    assert.ok(!daguerre.log().includes(secret.slice('whsec_'.length)), 'the secret is logged');

    await hook.stop();
    await create(daguerre, 20);
    await daguerre.kill('worker');
    await until('failed attempts', async () => {
      const path = `/webhooks/v1/endpoints/${id}/deliveries?delivered=false`;
      return ((await call(daguerre, 'GET', path)).deliveries as readonly object[]).length > 0;
    });
    await hook.start();
    await repeats(daguerre, hook);
  });

  test('go on where they were when all that is kept about them is dropped', async () => {
    const hook = await receiver();
    const daguerre = await start(hook);
    await register(daguerre, hook);
    await create(daguerre, 30);
    await repeats(daguerre, hook);
    const client = new pg.Client(daguerre.postgresUrl);
    await client.connect();
    await client.query('drop table webhook_progress, webhook_deliveries');
    await client.query('drop schema webhooks cascade');
    await client.query('drop schema events cascade');
    await client.end();
    await daguerre.kill('worker');
    await create(daguerre, 30);
    await repeats(daguerre, hook);
  });

  test('are taken over by another worker when theirs stands still, which changes nothing when it wakes', async (t) => {
    const hook = await receiver();
    const daguerre = await start(hook);
    await register(daguerre, hook);
    await create(daguerre, 3);
    await repeats(daguerre, hook);
    const second = await startWorker(daguerre, hook);
    const victim = await daguerre.part('worker');
    process.kill(victim, 'SIGSTOP');
    try {
      const began = performance.now();
      await create(daguerre, 3);
      await repeats(daguerre, hook);
      t.diagnostic(`told again ${Math.round(performance.now() - began)} ms after`);
      process.kill(victim, 'SIGCONT');
      await create(daguerre, 20);
      await repeats(daguerre, hook);
    } finally {
      process.kill(victim, 'SIGCONT');
      await second.stop();
    }
    await create(daguerre, 3);
    await repeats(daguerre, hook);
  });
});
