import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import type { PipelineCommand } from '../../domain/image/commands.ts';
import { memoryProgress } from '../../infra/progress/progress.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import {
  admin,
  alice,
  bob,
  rawFormat,
  reader,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { pipeline } from '../support/gateway-worker.ts';
import { writableStore } from '../support/stores.ts';

const bytes = randomBytes(3000);
const uri = 'https://images.example/disk.img';
const web = { method: { name: 'web-download', uri } };
const copy = { method: { name: 'copy-image' } };
const mebibyte = 1024 ** 2;

/** A site with the stores `file`, `fast` and `cheap`, whose workers the test is. */
async function start(t: TestContext) {
  const progress = memoryProgress();
  const gateway = await startGateway(t, {
    change: (ports) => {
      const one = ports.stores.all[0]?.writer;
      assert.ok(one);
      return {
        ...ports,
        importMethods: ['glance-direct', 'web-download', 'copy-image'],
        progress,
        stores: storesFrom(
          ['file', 'fast', 'cheap'].map((id) => writableStore(id, one)),
          'file',
        ),
      };
    },
  });
  return { ...gateway, progress };
}

const begin = (gateway: TestGateway, id: string, document: unknown, token?: string) =>
  gateway.send('POST', `/v2/images/${id}/import`, document, token);

const show = async (gateway: TestGateway, id: string, token = alice) =>
  (await gateway.ask(`/v2/images/${id}`, { token })).json();

const tasksOf = async (gateway: TestGateway, id: string, token = alice) =>
  (await gateway.ask(`/v2/images/${id}/tasks`, { token })).json().tasks as Record<
    string,
    unknown
  >[];

const requestOf = async (gateway: TestGateway, id: string) =>
  (await gateway.ports.log.readStream(`image-${id}`)).events.findLast(
    ({ type }) => type === 'ImportRequested',
  )?.data;

/** What a worker would say of the image's newest attempt, in its first claim. */
async function work(gateway: TestGateway, id: string) {
  const tell = pipeline(gateway.ports.log);
  const uploadId = String((await requestOf(gateway, id))?.uploadId);
  await tell(id, { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'w' });
  return {
    uploadId,
    say: (command: object) => tell(id, { uploadId, epoch: 1, ...command } as PipelineCommand),
  };
}

const stored = (...stores: readonly string[]) => ({
  stored: stores.map((store) => ({ store, key: `${randomUUID()}` })),
  digests: { md5: 'aa', sha512: 'bb' },
  algorithm: 'sha512',
  detected: 'raw',
  virtualSize: bytes.length,
});

describe('an import by web-download', () => {
  test('is accepted on a queued image, which is importing then', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    const answer = await begin(gateway, id, web);
    assert.deepEqual([answer.status, answer.text], [202, '']);
    const { status, os_glance_import_task, os_glance_importing_to_stores } = await show(
      gateway,
      id,
    );
    assert.deepEqual([status, os_glance_importing_to_stores], ['importing', 'file']);
    const [task] = await tasksOf(gateway, id);
    assert.deepEqual(
      [task?.id, task?.type, task?.status],
      [os_glance_import_task, 'api_image_import', 'pending'],
    );
    assert.deepEqual(task?.input, {
      image_id: id,
      import_req: {
        method: { name: 'web-download', uri },
        stores: ['file'],
        all_stores_must_succeed: true,
      },
      backend: ['file'],
    });
    assert.equal((await begin(gateway, id, web)).status, 409);
    assert.equal((await gateway.upload(id, bytes)).status, 409);
  });

  test('takes a checksum, or where one is published', async (t) => {
    const gateway = await start(t);
    const sums = 'https://images.example/SHA256SUMS';
    for (const [given, expected] of [
      [{}, null],
      [{ checksum: 'A'.repeat(32) }, { digests: { md5: 'a'.repeat(32) }, size: null, sums: null }],
      [
        { checksum: `sha256:${'b'.repeat(64)}`, checksum_url: sums },
        { digests: { sha256: 'b'.repeat(64) }, size: null, sums },
      ],
      [
        { checksum: 'c'.repeat(128) },
        { digests: { sha512: 'c'.repeat(128) }, size: null, sums: null },
      ],
    ] as const) {
      const id = await gateway.create(rawFormat);
      const { status } = await begin(gateway, id, { method: { ...web.method, ...given } });
      assert.equal(status, 202);
      const { method } = (await requestOf(gateway, id)) as { method: { expected: unknown } };
      assert.deepEqual(method.expected, expected);
    }
  });

  for (const [what, given] of Object.entries({
    'no URL': { uri: undefined },
    'an empty URL': { uri: '' },
    'a number for a URL': { uri: 1 },
    'a file': { uri: 'file:///etc/passwd' },
    'no scheme that is known': { uri: 'gopher://images.example/disk.img' },
    'a URL with a user': { uri: 'http://user:word@images.example/' },
    'another port': { uri: 'https://images.example:8080/' },
    'the loopback address': { uri: 'http://127.0.0.1/' },
    'a decimal address': { uri: 'http://2130706433/' },
    'an IPv6-mapped address': { uri: 'http://[::ffff:127.0.0.1]/' },
    'the metadata address': { uri: 'http://169.254.169.254/latest' },
    'an overlong URL': { uri: `https://images.example/${'x'.repeat(5000)}` },
    'a checksum that is none': { checksum: 'abc' },
    'a checksum of another length': { checksum: `sha256:${'a'.repeat(32)}` },
    'a checksum of an unknown kind': { checksum: `crc32:${'a'.repeat(8)}` },
    'a checksum at an address that may not be': { checksum_url: 'http://127.0.0.1/SHA256SUMS' },
  }))
    test(`with ${what} is 400`, async (t) => {
      const gateway = await start(t);
      const id = await gateway.create(rawFormat);
      const method = { ...web.method, ...given };
      assert.equal((await begin(gateway, id, { method })).status, 400);
      assert.equal((await show(gateway, id)).status, 'queued');
    });

  test('is for who may change a queued image that has formats', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    const active = await gateway.createActive(bytes);
    const formless = await gateway.create({ ...rawFormat, container_format: null });
    for (const [wanted, answer] of [
      [404, begin(gateway, id, web, bob)],
      [403, begin(gateway, id, web, reader)],
      [404, begin(gateway, randomUUID(), web)],
      [409, begin(gateway, active, web)],
      [409, begin(gateway, formless, web)],
      [409, begin(gateway, id, { ...web, stores: ['nowhere'] })],
      [202, begin(gateway, id, web, admin)],
    ] as const)
      assert.equal((await answer).status, wanted);
  });

  test('tells its owner how far it is, and nobody else', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create({ ...rawFormat, visibility: 'community' });
    await begin(gateway, id, web);
    const { uploadId } = await work(gateway, id);
    gateway.progress.tell(uploadId, {
      phase: 'fetching',
      done: 5 * mebibyte,
      total: 20 * mebibyte,
      rate: mebibyte,
      stores: {},
      waiting: 'images.example answers 503',
    });
    const told = {
      phase: 'fetching',
      bytes: 5 * mebibyte,
      bytes_total: 20 * mebibyte,
      bytes_per_second: mebibyte,
      stores: {},
      waiting: 'images.example answers 503',
    };
    for (const token of [alice, admin, reader]) {
      const { os_glance_import_progress } = await show(gateway, id, token);
      assert.deepEqual(JSON.parse(String(os_glance_import_progress)), told);
    }
    assert.equal((await show(gateway, id, bob)).os_glance_import_progress, undefined);
    const message = 'Downloaded 5 MiB of 20 MiB, 1.0 MiB/s (waiting: images.example answers 503)';
    const [task] = await tasksOf(gateway, id);
    assert.equal(task?.message, message);
    const shown = await gateway.ask(`/v2/tasks/${uploadId}`, { token: admin });
    assert.equal(shown.json().message, message);
  });

  test('says store by store where it is, and of which it failed', async (t) => {
    const gateway = await start(t);
    const id = await gateway.create(rawFormat);
    const everywhere = { ...web, all_stores: true, all_stores_must_succeed: false };
    assert.equal((await begin(gateway, id, everywhere)).status, 202);
    const { uploadId, say } = await work(gateway, id);
    const seen = async () => {
      const image = await show(gateway, id);
      return [
        image.status,
        image.os_glance_importing_to_stores,
        image.os_glance_failed_import,
        image.stores,
      ];
    };
    assert.deepEqual(await seen(), ['importing', 'file,fast,cheap', '', undefined]);
    const source = { etag: null, lastModified: null, verified: [] };
    await say({ type: 'CompleteFetch', size: bytes.length, source });
    const failed = { store: 'file', reason: 'store-full', message: 'full' };
    await say({ type: 'RecordStoreFailure', ...failed });
    assert.deepEqual(await seen(), ['importing', 'fast,cheap', 'file', undefined]);
    await say({ type: 'RecordCopies', result: stored('fast') });
    assert.deepEqual(await seen(), ['active', 'cheap', 'file', 'fast']);
    gateway.progress.tell(uploadId, {
      phase: 'storing',
      done: 7 * mebibyte,
      total: 9 * mebibyte,
      rate: null,
      stores: { fast: 4 * mebibyte, cheap: 3 * mebibyte },
      waiting: null,
    });
    assert.equal(
      (await tasksOf(gateway, id))[0]?.message,
      'Copied 7 MiB of 9 MiB (fast 4 MiB, cheap 3 MiB)',
    );
    await say({ type: 'CompleteIngest', result: stored('cheap') });
    assert.deepEqual(await seen(), ['active', '', 'file', 'fast,cheap']);
    const [task] = await tasksOf(gateway, id);
    assert.deepEqual([task?.status, task?.result], ['success', { image_id: id }]);
  });
});

describe('an import by copy-image', () => {
  test('is for administrators, of an active image, to stores that have no copy', async (t) => {
    const gateway = await start(t);
    const id = await gateway.createActive(bytes);
    const queued = await gateway.create(rawFormat);
    const off = await gateway.createActive(bytes);
    await gateway.ask(`/v2/images/${off}/actions/deactivate`, { method: 'POST' });
    for (const [wanted, answer] of [
      [403, begin(gateway, id, { ...copy, stores: ['fast'] })],
      [404, begin(gateway, id, { ...copy, stores: ['fast'] }, bob)],
      [400, begin(gateway, id, copy, admin)],
      [400, begin(gateway, id, { ...copy, stores: ['fast', 'file'] }, admin)],
      [409, begin(gateway, id, { ...copy, stores: ['nowhere'] }, admin)],
      [409, begin(gateway, queued, { ...copy, stores: ['fast'] }, admin)],
      [409, begin(gateway, off, { ...copy, stores: ['fast'] }, admin)],
      [202, begin(gateway, id, { ...copy, stores: ['fast'] }, admin)],
      [409, begin(gateway, id, { ...copy, stores: ['cheap'] }, admin)],
    ] as const)
      assert.equal((await answer).status, wanted);
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    assert.equal(events.at(-1)?.metadata.rule, 'copy_image');
  });

  test('to all stores goes to those that have none, and to nowhere where there is none', async (t) => {
    const gateway = await start(t);
    const id = await gateway.createActive(bytes);
    const everywhere = { ...copy, all_stores: true };
    assert.equal((await begin(gateway, id, everywhere, admin)).status, 202);
    const { status, os_glance_importing_to_stores, stores } = await show(gateway, id);
    assert.deepEqual(
      [status, os_glance_importing_to_stores, stores],
      ['active', 'fast,cheap', 'file'],
    );
    const { say } = await work(gateway, id);
    const { checksum, os_hash_value } = await show(gateway, id);
    const same = { digests: { md5: checksum, sha512: os_hash_value } };
    await say({ type: 'RecordCopies', result: { ...stored('fast'), ...same } });
    assert.equal((await show(gateway, id)).stores, 'file,fast');
    await say({ type: 'CompleteIngest', result: { ...stored('cheap'), ...same } });
    assert.equal((await begin(gateway, id, everywhere, admin)).status, 202);
    const shown = await show(gateway, id);
    assert.deepEqual(
      [
        shown.status,
        shown.stores,
        shown.os_glance_importing_to_stores,
        shown.os_glance_import_task,
      ],
      ['active', 'file,fast,cheap', '', undefined],
    );
    assert.equal((await tasksOf(gateway, id, admin)).length, 1);
  });
});

describe('a task that imports', () => {
  const job = {
    type: 'import',
    input: {
      import_from: uri,
      import_from_format: 'raw',
      image_properties: { name: 'disk', visibility: 'private', os_distro: 'debian' },
    },
  };
  const ask = (gateway: TestGateway, document: unknown) =>
    gateway.send('POST', '/v2/tasks', document, admin);

  test('makes the image, and ends with its id', async (t) => {
    const gateway = await start(t);
    const asked = await ask(gateway, job);
    assert.equal(asked.status, 201);
    const { id, image_id, status, type, input } = asked.json();
    assert.deepEqual([status, type, input], ['pending', 'import', job.input]);
    const image = await show(gateway, String(image_id), admin);
    assert.deepEqual(
      [image.name, image.status, image.disk_format, image.container_format, image.os_distro],
      ['disk', 'importing', 'raw', 'bare', 'debian'],
    );
    const { say } = await work(gateway, String(image_id));
    const source = { etag: null, lastModified: null, verified: [] };
    await say({ type: 'CompleteFetch', size: bytes.length, source });
    await say({ type: 'CompleteIngest', result: stored('file') });
    const ended = (await gateway.ask(`/v2/tasks/${id}`, { token: admin })).json();
    assert.deepEqual([ended.status, ended.type, ended.result], ['success', 'import', { image_id }]);
  });

  test('ends with the reason where there is no such image to make', async (t) => {
    const gateway = await start(t);
    const image_properties = { name: 'disk', min_ram: 'much' };
    const asked = await ask(gateway, { ...job, input: { ...job.input, image_properties } });
    assert.equal(asked.status, 201);
    const { status, message, image_id } = asked.json();
    assert.deepEqual([status, image_id], ['failure', undefined]);
    assert.match(String(message), /type 'integer'/);
  });

  test('from where imports may not fetch is 400', async (t) => {
    const gateway = await start(t);
    for (const import_from of ['file:///etc/passwd', 'http://127.0.0.1/', 'http://a:b@c/'])
      assert.equal(
        (await ask(gateway, { ...job, input: { ...job.input, import_from } })).status,
        400,
      );
  });
});
