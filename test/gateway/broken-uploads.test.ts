import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AppendUnknown,
  type EventLog,
  LogUnavailable,
  type NewEvent,
} from '../../domain/event-log.ts';
import { rawFormat, startGateway, type TestGateway } from '../support/gateway.ts';
import { activate, assertUndone, whenStaged } from '../support/gateway-uploads.ts';
import { pipeline } from '../support/gateway-worker.ts';
import { type RawConnection, rawConnection } from '../support/http.ts';
import { until } from '../support/until.ts';

const mebibyte = 1024 * 1024;

describe('an upload whose client', () => {
  const brokenOff: readonly (readonly [string, string, string])[] = [
    ['hangs up before its length is reached', 'Content-Length: 9000000', 'some bytes'],
    ['hangs up in the middle of a chunk', 'Transfer-Encoding: chunked', '40\r\nsome bytes'],
    ['hangs up before the last chunk', 'Transfer-Encoding: chunked', '4\r\nsome\r\n'],
  ];
  for (const [what, length, body] of brokenOff)
    test(`${what} is aborted and leaves nothing`, async (t) => {
      const gateway = await startGateway(t);
      const id = await gateway.create(rawFormat);
      const { socket } = await beginUpload(gateway, id, length);
      socket.write(body);
      await until('the upload to start', () => started(gateway, id));
      socket.destroy();
      await until('the abort', () => lastIs(gateway, id, 'UploadAborted'));
      await until('staging to be empty', async () => (await gateway.staged()).length === 0);
      await assertUndone(gateway, id, 'client-gone');
    });

  test('sends garbage for a chunk length gets 400 and leaves nothing', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const { rest, socket } = await beginUpload(gateway, id, 'Transfer-Encoding: chunked');
    socket.write('4\r\nsome\r\nzz\r\n');
    assert.match(await rest, /^HTTP\/1\.1 400 /);
    await until('the abort', () => lastIs(gateway, id, 'UploadAborted'));
    await until('staging to be empty', async () => (await gateway.staged()).length === 0);
    await assertUndone(gateway, id, 'client-gone');
  });

  test('closes its side too early gets 400 and leaves nothing', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const { rest, socket } = await beginUpload(gateway, id, 'Content-Length: 100');
    socket.end('too few');
    assert.match(await rest, /^HTTP\/1\.1 400 /);
    await until('the abort', () => lastIs(gateway, id, 'UploadAborted'));
    await assertUndone(gateway, id, 'client-gone');
  });

  test('sends more than its Content-Length is taken at its word, the rest is no request', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const { rest, socket } = await beginUpload(gateway, id, 'Content-Length: 4');
    socket.write('four and something more\r\n\r\n');
    const answers = (await rest).match(/HTTP\/1\.1 \d+/g);
    assert.ok(answers?.includes('HTTP/1.1 400'), String(answers));
    await until('the image', async () => {
      const { size, status } = (await gateway.ask(`/v2/images/${id}`)).json();
      return status === 'active' && size === 4;
    });
  });

  test('hangs up once everything is staged becomes active all the same', async (t) => {
    const gateway = await startGateway(t, { worker: false });
    const id = await gateway.create(rawFormat);
    const { socket } = await beginUpload(gateway, id, 'Content-Length: 4');
    socket.write('four');
    const upload = await whenStaged(gateway, id);
    socket.destroy();
    await activate(gateway, id, upload);
    assert.equal((await gateway.ask(`/v2/images/${id}`)).json().status, 'active');
  });

  test('is still sending when the image is deleted is told 410 at once, and the bytes go', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const connection = await beginUpload(gateway, id, `Content-Length: ${50 * mebibyte}`);
    connection.socket.write(Buffer.alloc(2 * mebibyte));
    await until('bytes in staging', async () => (await gateway.staged()).length === 1);
    await gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
    await until('the answer', () => connection.sofar().startsWith('HTTP/1.1 410 Gone'));
    await until('staging to be empty', async () => (await gateway.staged()).length === 0);
    assert.match(connection.sofar(), /connection: close/i);
    connection.socket.destroy();
  });

  test('is still sending when another aborts its upload is told 410', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const connection = await beginUpload(gateway, id, 'Content-Length: 100');
    await until('the upload to start', () => started(gateway, id));
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const uploadId = String(events[1]?.data.uploadId);
    const abort = { uploadId, reason: 'gateway-died', message: 'it seemed dead' } as const;
    await pipeline(gateway.ports.log)(id, { type: 'AbortUpload', ...abort });
    await until('the answer', () => connection.sofar().startsWith('HTTP/1.1 410 Gone'));
    await until('staging to be empty', async () => (await gateway.staged()).length === 0);
    connection.socket.destroy();
  });

  test('waits for 100 Continue is refused without it, and invited otherwise', async (t) => {
    const gateway = await startGateway(t);
    const waiting = 'Content-Length: 4\r\nExpect: 100-continue';
    const refused = await beginUpload(gateway, await gateway.create(), waiting);
    assert.match(await refused.rest, /^HTTP\/1\.1 400 Bad Request/);
    const id = await gateway.create(rawFormat);
    const invited = await beginUpload(gateway, id, waiting);
    await until('the invitation', () => invited.sofar() === 'HTTP/1.1 100 Continue\r\n\r\n');
    invited.socket.write('four');
    await until('the answer', () => invited.sofar().includes('HTTP/1.1 204 No Content'));
    invited.socket.destroy();
  });

  test('is refused while it sends a large body gets its answer before it has sent it all', async (t) => {
    const gateway = await startGateway(t);
    const connection = await beginUpload(
      gateway,
      await gateway.create(),
      `Content-Length: ${1024 * mebibyte}`,
    );
    connection.socket.write(Buffer.alloc(mebibyte));
    await until('the answer', () =>
      connection.sofar().includes('must be set prior to saving data'),
    );
    assert.match(connection.sofar(), /^HTTP\/1\.1 400 Bad Request/);
    connection.socket.destroy();
  });
});

describe('an upload in a gateway', () => {
  test('that stops is aborted and answered 503 while it is being received', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const connection = await beginUpload(gateway, id, 'Content-Length: 100');
    connection.socket.write('some');
    await until('the upload to start', () => started(gateway, id));
    const stopping = gateway.stop(200);
    await until('the answer', () => connection.sofar().startsWith('HTTP/1.1 503'));
    connection.socket.destroy();
    await stopping;
    await until('the abort', () => lastIs(gateway, id, 'UploadAborted'));
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    assert.equal(events.at(-1)?.data.reason, 'gateway-stopped');
    assert.deepEqual(await gateway.staged(), []);
  });

  test('that stops is answered 504 once it is staged, and stays', async (t) => {
    const gateway = await startGateway(t, { worker: false });
    const id = await gateway.create(rawFormat);
    const uploading = gateway.upload(id, Buffer.from('four'));
    await whenStaged(gateway, id);
    await gateway.stop(200);
    assert.equal((await uploading).status, 504);
    assert.equal((await gateway.staged()).length, 1);
  });

  test('whose log is away as it begins is answered 503 and has not begun', async (t) => {
    const { gateway, fail } = await gatewayWithFailingLog(t);
    const id = await gateway.create(rawFormat);
    fail('UploadStarted', 1, new LogUnavailable(undefined));
    assert.equal((await gateway.upload(id, Buffer.from('four'))).status, 503);
    assert.deepEqual(await gateway.events(id), ['ImageCreated']);
  });

  test('whose log is away for a moment at its end becomes active', async (t) => {
    const { gateway, fail } = await gatewayWithFailingLog(t);
    const id = await gateway.create(rawFormat);
    fail('UploadStaged', 1, new LogUnavailable(undefined));
    assert.equal((await gateway.upload(id, Buffer.from('four'))).status, 204);
  });

  test('whose answer from the log is lost is recorded once', async (t) => {
    const { gateway, fail } = await gatewayWithFailingLog(t);
    const id = await gateway.create(rawFormat);
    fail('UploadStarted', 1, new AppendUnknown('x', undefined), 'after');
    fail('UploadStaged', 1, new AppendUnknown('x', undefined), 'after');
    assert.equal((await gateway.upload(id, Buffer.from('four'))).status, 204);
    const types = await gateway.events(id);
    assert.deepEqual(types.slice(0, 4), [
      'ImageCreated',
      'UploadStarted',
      'UploadStaged',
      'IngestClaimed',
    ]);
  });

  test('is aborted at last when the abort could not be recorded at first', async (t) => {
    const { gateway, fail } = await gatewayWithFailingLog(t);
    const id = await gateway.create(rawFormat);
    fail('UploadAborted', 1, new LogUnavailable(undefined));
    const headers = { 'X-OpenStack-Image-Size': '9' };
    assert.equal((await gateway.upload(id, Buffer.from('four'), headers)).status, 400);
    await until('the abort', () => lastIs(gateway, id, 'UploadAborted'));
    await assertUndone(gateway, id, 'size-mismatch');
  });

  test('that lands in the log after its request was given up is aborted', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create(rawFormat);
    const uploadId = '7b9f4c1e-54e0-4bd4-9a53-4e1e5b1f2a10';
    const data = { uploadId, owner: 'gateway-test', declaredSize: null, store: 'file' };
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const metadata = events[0]?.metadata;
    assert.ok(metadata);
    const event = { id: uploadId, type: 'UploadStarted', schemaVersion: 1, data, metadata };
    await gateway.ports.log.append(`image-${id}`, [event], 0);
    await until('the abort', () => lastIs(gateway, id, 'UploadAborted'));
  });
});

/** A gateway whose log fails appends of one type of event, so many times. */
async function gatewayWithFailingLog(t: Parameters<typeof startGateway>[0]) {
  const failing = new Map<string, { times: number; error: Error; when: 'before' | 'after' }>();
  const faulty = (log: EventLog): EventLog => ({
    ...log,
    async append(streamId: string, events: readonly NewEvent[], expected: number) {
      const fault = failing.get(events[0]?.type ?? '');
      if (fault === undefined || fault.times === 0) return log.append(streamId, events, expected);
      fault.times -= 1;
      if (fault.when === 'after') await log.append(streamId, events, expected);
      throw fault.error;
    },
  });
  const gateway = await startGateway(t, {
    change: (ports) => ({ ...ports, log: faulty(ports.log) }),
  });
  return {
    gateway,
    fail(type: string, times: number, error: Error, when: 'before' | 'after' = 'before'): void {
      failing.set(type, { times, error, when });
    },
  };
}

/** Sends the head of an upload over a bare connection. */
async function beginUpload(
  gateway: TestGateway,
  id: string,
  headers: string,
): Promise<RawConnection> {
  const connection = await rawConnection(gateway.url);
  connection.socket.write(
    `PUT /v2/images/${id}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: alice:red:member\r\n` +
      `Content-Type: application/octet-stream\r\n${headers}\r\n\r\n`,
  );
  return connection;
}

const started = async (gateway: TestGateway, id: string): Promise<boolean> =>
  (await gateway.events(id)).includes('UploadStarted');

const lastIs = async (gateway: TestGateway, id: string, type: string): Promise<boolean> =>
  (await gateway.events(id)).at(-1) === type;
