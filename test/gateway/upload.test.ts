import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import type { IngestFailure } from '../../domain/image/events.ts';
import { StagingFull } from '../../domain/staging.ts';
import {
  admin,
  bob,
  octets,
  rawFormat,
  reader,
  startGateway,
  withUploads,
} from '../support/gateway.ts';
import { activate, assertUndone, whenStaged } from '../support/gateway-uploads.ts';
import { hex, pipeline } from '../support/gateway-worker.ts';
import { until } from '../support/until.ts';

const mebibyte = 1024 * 1024;
const bytes = randomBytes(3 * mebibyte + 17);

describe('PUT /v2/images/{id}/file', () => {
  test('answers 204 without a body when the image is active with its size and hashes', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const uploaded = await gateway.upload(id, bytes);
    assert.deepEqual([uploaded.status, uploaded.text], [204, '']);
    const shown = (await gateway.ask(`/v2/images/${id}`)).json();
    assert.equal(shown.status, 'active');
    assert.equal(shown.size, bytes.length);
    assert.equal(shown.virtual_size, bytes.length);
    assert.equal(shown.checksum, hex('md5', bytes));
    assert.equal(shown.os_hash_algo, 'sha512');
    assert.equal(shown.os_hash_value, hex('sha512', bytes));
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const [, started, staged] = events;
    assert.deepEqual(
      [started?.type, started?.data.owner, started?.data.declaredSize, started?.data.store],
      ['UploadStarted', 'gateway-test', bytes.length, 'file'],
    );
    assert.equal(started?.metadata.rule, 'upload_image');
    assert.deepEqual([staged?.type, staged?.data.size], ['UploadStaged', bytes.length]);
    assert.equal(staged?.metadata.correlationId, started?.metadata.correlationId);
    await until('staging to be empty', async () => (await gateway.staged()).length === 0);
  });

  test('takes a body of unknown length, and one of no bytes with or without a length', async (t) => {
    const gateway = await startGateway(t);
    const put = async (headers: Record<string, string>, body?: Uint8Array) => {
      const id = await gateway.create(rawFormat);
      const answer = await gateway.upload(id, body, headers);
      assert.equal(answer.status, 204, answer.text);
      return (await gateway.ask(`/v2/images/${id}`)).json().size;
    };
    assert.equal(await put({ 'Transfer-Encoding': 'chunked' }, bytes), bytes.length);
    assert.equal(await put({ 'Transfer-Encoding': 'chunked' }), 0);
    assert.equal(await put({ 'Content-Length': '0' }), 0);
    assert.equal(await put({ 'X-OpenStack-Image-Size': '0' }, bytes), bytes.length);
  });

  test('keeps what others change of the image meanwhile', async (t) => {
    const gateway = await startGateway(t, { worker: false });
    const id = await gateway.create(rawFormat);
    const uploading = gateway.upload(id, bytes);
    const state = await whenStaged(gateway, id);
    await gateway.patch(`/v2/images/${id}`, [{ op: 'add', path: '/name', value: 'later' }]);
    await gateway.ask(`/v2/images/${id}/tags/t`, { method: 'PUT' });
    await activate(gateway, id, state);
    assert.equal((await uploading).status, 204);
    const { name, status, tags } = (await gateway.ask(`/v2/images/${id}`)).json();
    assert.deepEqual({ name, status, tags }, { name: 'later', status: 'active', tags: ['t'] });
  });

  for (const type of [undefined, 'text/plain', 'application/octet-stream; q=1'])
    test(`refuses Content-Type ${type} with 415`, async (t) => {
      const gateway = await startGateway(t);
      const id = await gateway.create(rawFormat);
      const answer = await gateway.ask(`/v2/images/${id}/file`, {
        method: 'PUT',
        body: bytes,
        headers: type === undefined ? {} : { 'Content-Type': type },
      });
      assert.equal(answer.status, 415);
      assert.deepEqual(await gateway.events(id), ['ImageCreated']);
    });

  test('refuses a size that is no number, and an unknown store, with 400', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    for (const size of ['x', '-1', '1.5'])
      assert.equal(
        (await gateway.upload(id, bytes, { 'X-OpenStack-Image-Size': size })).status,
        400,
      );
    assert.equal((await gateway.upload(id, bytes, { 'X-Image-Meta-Store': 'x' })).status, 400);
    assert.deepEqual(await gateway.events(id), ['ImageCreated']);
    assert.equal((await gateway.upload(id, bytes, { 'X-Image-Meta-Store': 'file' })).status, 204);
  });

  test('refuses what cannot take data: 404 unseen, 403 not allowed, 400 without formats, 409 not queued', async (t) => {
    const gateway = await startGateway(t);
    const put = async (id: string, token?: string) =>
      (
        await gateway.ask(`/v2/images/${id}/file`, {
          method: 'PUT',
          body: bytes,
          headers: octets,
          ...(token ? { token } : {}),
        })
      ).status;
    const id = await gateway.create(rawFormat);
    assert.equal(await put(randomUUID()), 404);
    assert.equal(await put('nonsense'), 404);
    assert.equal(await put(id, bob), 404);
    assert.equal(await put(id, reader), 403);
    assert.equal(await put(await gateway.create({ visibility: 'public' }, admin), bob), 403);
    assert.equal(await put(await gateway.create({ disk_format: 'raw' })), 400);
    assert.equal(await put(await gateway.createActive(bytes)), 409);
  });

  test('lets one of two uploads at once win, and answers 409 to the other', async (t) => {
    const gateway = await startGateway(t, { worker: false });
    const id = await gateway.create(rawFormat);
    const both = [gateway.upload(id, bytes), gateway.upload(id, bytes)];
    await activate(gateway, id, await whenStaged(gateway, id));
    const answers = (await Promise.all(both)).map(({ status }) => status);
    assert.deepEqual(answers.sort(), [204, 409]);
  });

  const sizes: readonly (readonly [string, number, Record<string, string>])[] = [
    ['fewer bytes than announced', 400, { 'X-OpenStack-Image-Size': String(bytes.length + 1) }],
    ['more bytes than announced', 400, { 'X-OpenStack-Image-Size': '5' }],
    ['an announced size above the cap', 413, { 'X-OpenStack-Image-Size': String(2 ** 40) }],
    ['a Content-Length above the cap', 413, {}],
    ['a stream that passes the cap', 413, { 'Transfer-Encoding': 'chunked' }],
  ];
  for (const [what, status, headers] of sizes)
    test(`answers ${status} to ${what}, and leaves a queued image that says why`, async (t) => {
      const capped = status === 413 && !('X-OpenStack-Image-Size' in headers);
      const gateway = await startGateway(t, capped ? withUploads({ sizeCap: mebibyte }) : {});
      const id = await gateway.create(rawFormat);
      const answer = await gateway.upload(id, bytes, headers);
      assert.equal(answer.status, status, answer.text);
      await assertUndone(gateway, id, status === 413 ? 'too-large' : 'size-mismatch');
      const shown = (await gateway.ask(`/v2/images/${id}`)).json();
      assert.match(String(shown.os_glance_failed_upload), /bytes/);
      assert.equal(shown.size, null);
    });

  test('lets a refused image be filled again, and then says nothing of the failure', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    assert.equal((await gateway.upload(id, bytes, { 'X-OpenStack-Image-Size': '5' })).status, 400);
    assert.equal((await gateway.upload(id, bytes)).status, 204);
    const shown = (await gateway.ask(`/v2/images/${id}`)).json();
    assert.equal('os_glance_failed_upload' in shown, false);
  });

  for (const { error, reason, status, step } of [
    { step: 'create', error: new StagingFull(undefined), status: 413, reason: 'staging-full' },
    { step: 'write', error: new StagingFull(undefined), status: 413, reason: 'staging-full' },
    { step: 'write', error: new Error('EIO'), status: 500, reason: 'staging-failed' },
    { step: 'seal', error: new Error('EIO: fsync'), status: 500, reason: 'staging-failed' },
  ] as const)
    test(`answers ${status} when staging fails to ${step} (${reason})`, async (t) => {
      const gateway = await startGateway(t, {
        change: (ports) => ({
          ...ports,
          uploads: {
            ...ports.uploads,
            staging: {
              remove: ports.uploads.staging.remove,
              async create(key) {
                if (step === 'create') throw error;
                const writer = await ports.uploads.staging.create(key);
                const fail = () => Promise.reject(error);
                return { ...writer, [step]: fail };
              },
            },
          },
        }),
      });
      const id = await gateway.create(rawFormat);
      assert.equal((await gateway.upload(id, bytes)).status, status);
      await assertUndone(gateway, id, reason);
    });

  const failures: Readonly<Record<IngestFailure, number>> = {
    'format-refused': 415,
    'store-full': 413,
    'store-unavailable': 503,
    'staged-bytes-lost': 500,
    'location-unusable': 400,
    'digest-mismatch': 400,
    'workers-died': 500,
    'source-refused': 400,
    'source-gone': 400,
    'source-changed': 400,
    'source-lied': 400,
    'source-unavailable': 503,
    'staging-full': 413,
    'too-large': 413,
    'quota-exceeded': 413,
    'copies-unusable': 503,
    'plugin-failed': 400,
  };
  for (const [reason, status] of Object.entries(failures))
    test(`answers ${status} with the reason when ingest fails with ${reason}`, async (t) => {
      const gateway = await startGateway(t, { worker: false });
      const id = await gateway.create(rawFormat);
      const uploading = gateway.upload(id, bytes);
      const { uploadId } = await whenStaged(gateway, id);
      const tell = pipeline(gateway.ports.log);
      await tell(id, { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'w' });
      const message = 'the content is a cake';
      const fault = { uploadId, epoch: 1, reason: reason as IngestFailure, message };
      await tell(id, { type: 'FailIngest', ...fault });
      const answer = await uploading;
      assert.equal(answer.status, status);
      assert.match(answer.text, /the content is a cake/);
      const shown = (await gateway.ask(`/v2/images/${id}`)).json();
      assert.deepEqual([shown.status, shown.os_glance_failed_upload], ['queued', message]);
    });

  test('answers 410 when the image is deleted while its ingest is awaited', async (t) => {
    const gateway = await startGateway(t, { worker: false });
    const id = await gateway.create(rawFormat);
    const uploading = gateway.upload(id, bytes);
    await whenStaged(gateway, id);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    assert.equal((await uploading).status, 410);
  });

  test('answers 504 when nobody claims the work in time, and the work stays', async (t) => {
    const patience = { unownedMs: 50, lookEveryMs: 5 };
    const gateway = await startGateway(t, { worker: false, ...withUploads({ patience }) });
    const id = await gateway.create(rawFormat);
    assert.equal((await gateway.upload(id, bytes)).status, 504);
    const state = await whenStaged(gateway, id);
    await activate(gateway, id, state);
    assert.equal((await gateway.ask(`/v2/images/${id}`)).json().status, 'active');
  });

  test('waits for a living worker however long, and gives up on a dead one', async (t) => {
    let dead = false;
    let looks = 0;
    const patience = { unownedMs: 50, lookEveryMs: 1 };
    const isDead = () => {
      looks += 1;
      return dead;
    };
    const gateway = await startGateway(t, { worker: false, ...withUploads({ patience, isDead }) });
    const id = await gateway.create(rawFormat);
    let answered = false;
    const uploading = gateway.upload(id, bytes).finally(() => {
      answered = true;
    });
    const { uploadId } = await whenStaged(gateway, id);
    const claim = { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'w' } as const;
    await pipeline(gateway.ports.log)(id, claim);
    await until(
      'a look each millisecond to add up to far more than its patience',
      () => looks > 200,
    );
    assert.equal(answered, false);
    dead = true;
    assert.equal((await uploading).status, 504);
  });
});
