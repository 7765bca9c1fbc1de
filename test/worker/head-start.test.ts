import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { headStarts } from '../../apps/worker/head-start.ts';
import { inspectStaged } from '../../apps/worker/inspection.ts';
import { prepare } from '../../apps/worker/preparation.ts';
import { memoryStaging } from '../../infra/staging/memory.ts';
import { until } from '../support/until.ts';
import { hashOf, never, pipeline, silent, testThreads } from './harness.ts';

const raw = { diskFormat: 'raw', containerFormat: 'bare' };
const qcow2 = { diskFormat: 'qcow2', containerFormat: 'bare' };
const newKey = () => ({ imageId: randomUUID(), uploadId: randomUUID() });

async function starting() {
  const { staging } = await pipeline();
  return { staging, starts: headStarts({ staging, threads: testThreads(), log: silent }) };
}

test('a head start waits for the object, follows it, and knows all when the size is known', async () => {
  const { staging, starts } = await starting();
  const key = newKey();
  starts.begin(key, raw);
  assert.equal(starts.has(key.uploadId), false);
  const writer = await staging.create(key);
  await until('the head start', () => starts.has(key.uploadId));
  const pieces = Array.from({ length: 5 }, () => randomBytes(300_000));
  for (const piece of pieces) await writer.write([piece]);
  const bytes = Buffer.concat(pieces);
  starts.staged(key.uploadId, await writer.seal());
  const taken = starts.take(key.uploadId);
  assert.deepEqual(await taken?.finish(bytes.length), {
    detected: 'raw',
    virtualSize: bytes.length,
    digests: { md5: hashOf('md5', bytes), sha512: hashOf('sha512', bytes) },
  });
  assert.equal(starts.count, 0);
  await taken?.cancel();
});

test('what is taken cannot be dropped any more, and what is dropped cannot be taken', async () => {
  const { staging, starts } = await starting();
  const [first, second] = [newKey(), newKey()];
  for (const key of [first, second]) {
    const writer = await staging.create(key);
    await writer.write([Buffer.from('whole')]);
    await writer.seal();
    starts.begin(key, raw);
    await until('the head start', () => starts.has(key.uploadId));
  }
  const taken = starts.take(first.uploadId);
  starts.drop(first.uploadId);
  assert.ok(taken !== undefined && 'digests' in (await taken.finish(5)));
  await taken.cancel();
  starts.dropImage(second.imageId);
  assert.equal(starts.take(second.uploadId), undefined);
  assert.equal(starts.count, 0);
});

test('an inspection is answered below the watermark, before the object is whole', async () => {
  const staging = memoryStaging();
  const key = newKey();
  const writer = await staging.create(key);
  await writer.write([randomBytes(1024 * 1024)]);
  const unknownSize = new Promise<number>(() => {});
  const verdict = await inspectStaged(await staging.open(key), qcow2, unknownSize, never);
  assert.equal(verdict.accepted, false);
});

test('an inspection waits for bytes above the watermark, and for the size', async () => {
  const staging = memoryStaging();
  const key = newKey();
  const writer = await staging.create(key);
  let tell: (size: number) => void = () => {};
  const size = new Promise<number>((resolve) => {
    tell = resolve;
  });
  let ended = false;
  const inspecting = inspectStaged(await staging.open(key), raw, size, never).finally(() => {
    ended = true;
  });
  await writer.write([Buffer.alloc(2 * 1024 * 1024)]);
  assert.equal(ended, false);
  tell(await writer.seal());
  assert.deepEqual(await inspecting, {
    accepted: true,
    format: 'raw',
    virtualSize: 2 * 1024 * 1024,
  });
});

test('an inspection sees no byte beyond the size', async () => {
  const staging = memoryStaging();
  const key = newKey();
  const writer = await staging.create(key);
  const header = Buffer.alloc(112);
  header.write('QFI\xfb', 'latin1');
  await writer.write([Buffer.from('ab'), header]);
  const verdict = await inspectStaged(await staging.open(key), raw, Promise.resolve(2), never);
  assert.deepEqual(verdict, { accepted: true, format: 'raw', virtualSize: 2 });
});

test('a preparation that refuses does not wait for the digests', async () => {
  const { staging } = await starting();
  const key = newKey();
  const writer = await staging.create(key);
  await writer.write([randomBytes(1000)]);
  await writer.seal();
  const preparation = prepare(await staging.open(key), qcow2, testThreads());
  const prepared = await preparation.finish(1000);
  assert.ok('refused' in prepared && prepared.refused.includes('qcow2'));
  await preparation.cancel();
});

test('a cancelled preparation rejects and closes', async () => {
  const { staging } = await starting();
  const key = newKey();
  await staging.create(key);
  const preparation = prepare(await staging.open(key), raw, testThreads());
  await preparation.cancel();
  await assert.rejects(preparation.finish(0));
});
