import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Validation } from '../../domain/image/events.ts';
import type { Image } from '../../domain/image/state.ts';
import type { LocationStep } from '../../domain/pipeline-steps.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { type FileServer, serving, startFileServer } from '../support/file-server.ts';
import { localHttpStore, writableStore } from '../support/stores.ts';
import { until } from '../support/until.ts';
import { caller, hashOf, type Pipeline, pipeline, typesOf } from './harness.ts';
import { workerProcesses } from './worker-processes.ts';

const bytes = randomBytes(2_500_000);
let server: FileServer;
before(async () => {
  server = await startFileServer();
});
after(() => server.stop());

const storesOf = (system: Pipeline) =>
  storesFrom([writableStore('file', system.store), localHttpStore('web', [server.port])], 'file');
const rules = { secureHash: true, tries: 3, pauseMs: 5, sizeCap: 1024 ** 4 };

type System = Pick<Pipeline, 'command'>;

async function requested(
  system: System,
  url: string,
  validation: Validation | null = null,
): Promise<string> {
  const imageId = await newImage(system);
  await system.command(imageId, {
    type: 'RequestLocation',
    caller,
    uploadId: randomUUID(),
    method: { name: 'location', locationId: 'l', store: 'web', url, metadata: {}, validation },
    stores: ['web'],
    allStoresMustSucceed: true,
  });
  return imageId;
}

async function newImage(system: System): Promise<string> {
  const imageId = randomUUID();
  await system.command(imageId, {
    type: 'CreateImage',
    caller,
    attributes: {
      ...{ name: 'remote', owner: 'demo', visibility: 'private', protected: false, hidden: false },
      ...{ diskFormat: 'raw', containerFormat: 'bare', minDisk: 0, minRam: 0 },
      ...{ tags: [], properties: {} },
    },
  });
  return imageId;
}

const sha256: Validation = { algorithm: 'sha256', value: hashOf('sha256', bytes), checksum: null };

async function ended(system: Pipeline, imageId: string): Promise<Image> {
  return until(`the attempt on ${imageId} to be over`, async () => {
    const state = await system.stateOf(imageId);
    return 'upload' in state && state.upload === null ? state : undefined;
  });
}

const whyFailed = async (system: Pipeline, imageId: string): Promise<unknown> =>
  (await system.events(imageId)).findLast(({ type }) => type === 'IngestFailed')?.data.reason;

describe('a location', () => {
  test('makes the image active, and its digests come after', async () => {
    const system = await pipeline();
    system.startWorker({ stores: storesOf(system) });
    const imageId = await requested(system, server.put('/plain', bytes));
    const state = await ended(system, imageId);
    assert.ok(state.status === 'active');
    const { size, digests, algorithm, locations } = state.content;
    assert.deepEqual([size, algorithm], [bytes.length, 'sha512']);
    assert.deepEqual(digests, { md5: hashOf('md5', bytes), sha512: hashOf('sha512', bytes) });
    assert.deepEqual(
      locations.map(({ store, key, ours }) => [store, key, ours]),
      [['web', `${server.url}/plain`, false]],
    );
    assert.deepEqual(typesOf(await system.events(imageId)), [
      ...['ImageCreated', 'ImportRequested', 'IngestClaimed', 'LocationAdded', 'ImageActivated'],
      ...['ImageDigested', 'ImportCompleted'],
    ]);
  });

  test('with a digest makes the image active only when it is right', async () => {
    const system = await pipeline();
    system.startWorker({ stores: storesOf(system) });
    const url = server.put('/checked', bytes);
    const state = await ended(system, await requested(system, url, sha256));
    assert.ok(state.status === 'active');
    assert.deepEqual(state.content.digests, {
      md5: hashOf('md5', bytes),
      sha256: hashOf('sha256', bytes),
    });
    assert.equal(state.content.algorithm, 'sha256');
    const wrong = { ...sha256, value: 'f'.repeat(64) };
    const refused = await requested(system, url, wrong);
    assert.equal((await ended(system, refused)).status, 'queued');
    assert.equal(await whyFailed(system, refused), 'digest-mismatch');
  });

  test('is believed where hashing is off', async () => {
    const system = await pipeline();
    const locations = { ...rules, secureHash: false };
    system.startWorker({ stores: storesOf(system), locations });
    const url = server.put('/believed', bytes);
    const said = { ...sha256, value: 'f'.repeat(64) };
    const state = await ended(system, await requested(system, url, said));
    assert.ok(state.status === 'active');
    assert.deepEqual(state.content.digests, { sha256: said.value });
    const silent = await ended(system, await requested(system, url));
    assert.ok(silent.status === 'active');
    assert.deepEqual([silent.content.digests, silent.content.algorithm], [{}, null]);
  });

  const bad: Readonly<Record<string, () => string>> = {
    'is not there': () => `${server.url}/nothing`,
    'is empty': () => server.put('/empty', Buffer.alloc(0)),
    'is forbidden': () => 'http://127.0.0.2:1/',
    'is away': () => server.answer('/away', (_, response) => void response.writeHead(500).end()),
    'is too large': () =>
      server.answer('/large', (_, response) => {
        response.writeHead(200, { 'Content-Length': 2 ** 45 });
        response.flushHeaders();
        response.destroy();
      }),
  };
  for (const [what, url] of Object.entries(bad))
    test(`that ${what} ends with its reason, the image queued`, async () => {
      const system = await pipeline();
      system.startWorker({ stores: storesOf(system) });
      const imageId = await requested(system, url());
      assert.equal((await ended(system, imageId)).status, 'queued');
      assert.equal(await whyFailed(system, imageId), 'location-unusable');
    });

  test('that fails twice is read a third time, from its beginning', async () => {
    const system = await pipeline();
    system.startWorker({ stores: storesOf(system) });
    let failures = 2;
    const url = server.answer('/flaky', (request, response) => {
      if (request.method === 'HEAD' || failures === 0) {
        serving(bytes)(request, response);
        return;
      }
      failures -= 1;
      response.writeHead(200, { 'Content-Length': bytes.length });
      response.write(bytes.subarray(0, 1_000_000), () => response.destroy());
    });
    const state = await ended(system, await requested(system, url));
    assert.ok(state.status === 'active');
    assert.equal(state.content.digests.sha512, hashOf('sha512', bytes));
    assert.equal(failures, 0);
  });

  test('that cannot be hashed leaves the image active, without digests', async () => {
    const system = await pipeline();
    system.startWorker({ stores: storesOf(system) });
    const url = server.answer('/headless', (request, response) => {
      if (request.method === 'HEAD') serving(bytes)(request, response);
      else response.writeHead(500).end();
    });
    const imageId = await requested(system, url);
    const state = await ended(system, imageId);
    assert.ok(state.status === 'active');
    assert.deepEqual(state.content.digests, {});
    assert.equal(await whyFailed(system, imageId), 'location-unusable');
  });

  test('of an image that is deleted meanwhile is left alone', async () => {
    const system = await pipeline();
    system.startWorker({ stores: storesOf(system) });
    let asked = false;
    let closed = false;
    const url = server.answer('/slow', (request, response) => {
      if (request.method === 'HEAD') {
        serving(bytes)(request, response);
        return;
      }
      asked = true;
      response.writeHead(200, { 'Content-Length': bytes.length });
      response.write(bytes.subarray(0, 10));
      response.on('close', () => {
        closed = true;
      });
    });
    const imageId = await requested(system, url);
    await until('the bytes to be asked for', () => asked);
    await system.deleteImage(imageId);
    await until('the connection to be closed', () => closed);
    await until('the image to be cleaned up', async () => {
      const state = await system.stateOf(imageId);
      return state.status === 'deleted' && state.dataRemoved;
    });
  });
});

const steps: readonly (LocationStep | 'worker.job-taken' | 'worker.ingest-claimed')[] = [
  'worker.job-taken',
  'worker.ingest-claimed',
  'worker.location-seen',
  'worker.location-active',
  'worker.location-digested',
];

test('a worker that dies at any step of a location loses nothing', async () => {
  const stores = [
    { id: 'file', type: 'file' },
    {
      ...{ id: 'web', type: 'http' },
      ...{ 'allowed-ports': [server.port], 'allowed-cidrs': ['127.0.0.1/32'] },
    },
  ];
  const system = await workerProcesses({
    leaseMs: 500,
    env: { DAGUERRE_STORES: JSON.stringify(stores) },
  });
  const worker = system.keepWorker();
  const url = server.put('/crashes', bytes);
  for (const step of steps)
    for (const validation of [null, sha256]) {
      if (step === 'worker.location-active' && validation !== null) continue;
      const lives = worker.lives();
      await system.crashAt(step);
      const imageId = await requested(system, url, validation);
      await until(`the worker to die at ${step}`, () => worker.lives() > lives);
      const state = await ended(system, imageId);
      assert.ok(state.status === 'active', step);
      const algorithm = validation?.algorithm ?? 'sha512';
      assert.equal(state.content.digests[algorithm], hashOf(algorithm, bytes), step);
      assert.equal(state.content.locations.length, 1, step);
    }
});
