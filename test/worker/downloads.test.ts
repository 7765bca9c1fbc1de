import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { Failed } from '../../apps/worker/claim.ts';
import { type Fetcher, freeRoom } from '../../apps/worker/fetch.ts';
import { orAborted } from '../../apps/worker/or-aborted.ts';
import type { WorkerPorts } from '../../apps/worker/worker.ts';
import type { ImportMethod } from '../../domain/image/events.ts';
import { StagingFull } from '../../domain/staging.ts';
import { memoryProgress } from '../../infra/progress/progress.ts';
import { collected } from '../support/collected.ts';
import { until } from '../support/until.ts';
import {
  attributes,
  caller,
  gate,
  hashOf,
  type Pipeline,
  pipeline,
  typesOf,
  type Uploading,
} from './harness.ts';

const bytes = randomBytes(300_000);
const half = bytes.length / 2;
const source = { etag: '"one"', lastModified: null, verified: [] };
const method: ImportMethod = {
  name: 'web-download',
  uri: 'https://images.example/one.raw',
  expected: null,
};

/** An image whose bytes are to be downloaded. */
async function download(
  system: Pipeline,
  given: { readonly stores?: readonly string[]; readonly diskFormat?: string } = {},
): Promise<Uploading> {
  const key = { imageId: randomUUID(), uploadId: randomUUID() };
  await system.command(key.imageId, {
    type: 'CreateImage',
    caller,
    attributes: { ...attributes, diskFormat: given.diskFormat ?? 'raw' },
  });
  await system.command(key.imageId, {
    type: 'RequestImport',
    caller,
    uploadId: key.uploadId,
    method,
    stores: given.stores ?? ['file'],
    allStoresMustSucceed: true,
  });
  return key;
}

/** Bytes that come in two halves, with something in between. */
function inHalves(between: () => Promise<void> = async () => {}) {
  const starts: number[] = [];
  const fetcher: Fetcher = {
    describe: async () => ({ expected: null }),
    async fetch(_claim, _method, into, { signal, limitBytes, admit, tell }) {
      const { written, sealed } = into.state();
      if (sealed !== null) return { size: sealed, source };
      let done = written[0]?.end ?? 0;
      starts.push(done);
      await admit(bytes.length);
      if (bytes.length > limitBytes) throw new Failed('too-large', `at most ${limitBytes}`);
      while (done < bytes.length) {
        signal.throwIfAborted();
        await into.writeAt(done, [bytes.subarray(done, done + half)]);
        done += half;
        await into.checkpoint({});
        tell({ done, total: bytes.length, waiting: null });
        if (done === half) await orAborted(between(), signal);
      }
      await into.seal(done, {});
      return { size: done, source };
    },
  };
  return { fetcher, starts };
}

const downloads = (
  fetcher: Fetcher,
  more: Partial<WorkerPorts['downloads']> = {},
): Pick<WorkerPorts, 'downloads'> => ({
  downloads: { fetcher, roomFor: async () => freeRoom, sizeCap: 1024 ** 4, ...more },
});

const fails = (error: () => unknown): Fetcher => ({
  ...inHalves().fetcher,
  fetch: () => Promise.reject(error()),
});

describe('a download', () => {
  test('becomes the image, and leaves nothing in staging', async () => {
    const system = await pipeline();
    const { fetcher } = inHalves();
    system.startWorker(downloads(fetcher));
    const { imageId, uploadId } = await download(system);
    const state = await system.reached(imageId, 'active');
    assert.equal('content' in state && state.content.digests.sha512, hashOf('sha512', bytes));
    assert.ok((await system.stored(imageId)).equals(bytes));
    assert.deepEqual(typesOf(await system.events(imageId)), [
      'ImageCreated',
      'ImportRequested',
      'IngestClaimed',
      'ImportFetched',
      'ImageDataStored',
      'ImageDigested',
      'DiskFormatInspected',
      'ImageActivated',
      'ImportCompleted',
    ]);
    await system.onlyLeft([`${imageId}/${uploadId}/1`]);
  });

  test('goes on from what its worker had when it was stopped, which counts as no death', async () => {
    const system = await pipeline();
    const pause = gate();
    const { fetcher, starts } = inHalves(pause.pass);
    const first = system.startWorker(downloads(fetcher));
    const { imageId } = await download(system);
    await until('half of it to be there', async () => pause.reached === 1);
    await first.stop();
    assert.equal(typesOf(await system.events(imageId)).at(-1), 'IngestReleased');
    system.startWorker(downloads(fetcher));
    await system.reached(imageId, 'active');
    assert.deepEqual(starts, [0, half]);
    assert.ok((await system.stored(imageId)).equals(bytes));
  });

  test('that is whole is never fetched again', async () => {
    const system = await pipeline();
    const { fetcher, starts } = inHalves();
    const dies: WorkerPorts['passStep'] = (step) => {
      if (step === 'worker.fetch-recorded') throw new Error('as if it died');
    };
    const first = system.startWorker({ ...downloads(fetcher), passStep: dies });
    const { imageId } = await download(system);
    await until('the bytes to be recorded', async () =>
      typesOf(await system.events(imageId)).includes('ImportFetched'),
    );
    await first.stop();
    system.dead.add(first.owner);
    system.startWorker(downloads(fetcher));
    await system.reached(imageId, 'active');
    assert.deepEqual(starts, [0]);
  });

  test('that goes on for long says once that it got on, and only when it did', async () => {
    const system = await pipeline();
    const pause = gate();
    const { fetcher } = inHalves(pause.pass);
    const first = system.startWorker(downloads(fetcher, { advanceAfterMs: 20 }));
    const { imageId } = await download(system);
    const told = async () =>
      (await system.events(imageId)).filter(({ type }) => type === 'ImportAdvanced');
    await until('it to be told', async () => (await told()).length === 1);
    await first.stop();
    const looked = gate();
    const nowhere: Fetcher = {
      ...fetcher,
      fetch: (_claim, _method, into, { signal }) =>
        new Promise((_, reject) => {
          const state = into.state;
          into.state = () => {
            void looked.pass();
            return state();
          };
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    };
    const second = system.startWorker(downloads(nowhere, { advanceAfterMs: 20 }));
    await until('the second to have looked a few times', () => looked.reached > 2);
    await second.stop();
    pause.open();
    system.startWorker(downloads(fetcher));
    await system.reached(imageId, 'active');
    assert.deepEqual(
      (await told()).map(({ data }) => [data.epoch, data.bytes]),
      [[1, half]],
    );
  });

  for (const [what, error, reason] of [
    ['that is not there', () => new Failed('source-gone', 'there is nothing'), 'source-gone'],
    ['for which there is no room', () => new StagingFull(undefined), 'staging-full'],
  ] as const)
    test(`${what} leaves the image queued with the reason, and nothing in staging`, async () => {
      const system = await pipeline();
      system.startWorker(downloads(fails(error)));
      const { imageId } = await download(system);
      await system.reached(imageId, 'queued');
      assert.equal((await system.events(imageId)).at(-1)?.data.reason, reason);
      await system.onlyLeft();
    });

  test('that is more than may be is broken off', async () => {
    const system = await pipeline();
    const { fetcher } = inHalves(() => new Promise(() => {}));
    system.startWorker(downloads(fetcher, { sizeCap: bytes.length - 1 }));
    const { imageId } = await download(system);
    await system.reached(imageId, 'queued');
    const { reason, message } = (await system.events(imageId)).at(-1)?.data ?? {};
    assert.equal(reason, 'too-large');
    assert.match(String(message), /at most 299999/);
    await system.onlyLeft();
  });

  test('that its owner has no room for is broken off', async () => {
    const system = await pipeline();
    const { fetcher } = inHalves(() => new Promise(() => {}));
    const roomFor = async () => ({
      ...freeRoom,
      admit: () => Promise.reject(new Failed('quota-exceeded', 'no room for it')),
    });
    system.startWorker(downloads(fetcher, { roomFor }));
    const { imageId } = await download(system);
    await system.reached(imageId, 'queued');
    assert.equal((await system.events(imageId)).at(-1)?.data.reason, 'quota-exceeded');
  });

  test('of what is not the declared format fails with the reason', async () => {
    const system = await pipeline();
    system.startWorker(downloads(inHalves().fetcher));
    const { imageId } = await download(system, { diskFormat: 'qcow2' });
    await system.reached(imageId, 'queued');
    assert.equal((await system.events(imageId)).at(-1)?.data.reason, 'format-refused');
    await system.onlyLeft();
  });

  test('is judged by the format that the image has when it is whole', async () => {
    const system = await pipeline();
    const pause = gate();
    system.startWorker(downloads(inHalves(pause.pass).fetcher));
    const { imageId } = await download(system, { diskFormat: 'qcow2' });
    await until('half of it to be there', async () => pause.reached === 1);
    await system.command(imageId, {
      type: 'UpdateImage',
      caller,
      operations: [{ kind: 'set', field: 'diskFormat', value: 'raw' }],
    });
    pause.open();
    await system.reached(imageId, 'active');
  });

  test('ends with its image, and leaves nothing', async () => {
    const system = await pipeline();
    const pause = gate();
    system.startWorker(downloads(inHalves(pause.pass).fetcher));
    const { imageId } = await download(system);
    await until('half of it to be there', async () => pause.reached === 1);
    await system.deleteImage(imageId);
    await system.onlyLeft();
    assert.deepEqual(await collected(system.staging.list()), []);
  });

  test('brings formats and properties where its source has them', async () => {
    const system = await pipeline();
    const { fetcher } = inHalves();
    const description = {
      diskFormat: 'raw',
      containerFormat: 'bare',
      properties: { hw_disk_bus: 'scsi' },
      expected: null,
    };
    const describes: Fetcher = { ...fetcher, describe: async () => description };
    system.startWorker(downloads(describes));
    const { imageId } = await download(system, { diskFormat: 'qcow2' });
    const state = await system.reached(imageId, 'active');
    assert.ok('properties' in state);
    assert.deepEqual([state.diskFormat, state.properties.hw_disk_bus], ['raw', 'scsi']);
  });

  test('tells how far it is while it goes on', async () => {
    const system = await pipeline();
    const pause = gate();
    const progress = memoryProgress();
    system.startWorker({ ...downloads(inHalves(pause.pass).fetcher), progress });
    const { imageId, uploadId } = await download(system);
    await until('half of it to be told', async () => pause.reached === 1);
    const told = (await progress.find([uploadId])).get(uploadId);
    assert.deepEqual(
      [told?.phase, told?.done, told?.total, told?.waiting],
      ['fetching', half, bytes.length, null],
    );
    pause.open();
    await system.reached(imageId, 'active');
    await until('it to be forgotten', async () => (await progress.find([uploadId])).size === 0);
  });
});
