import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { handleImage } from '../../apps/handle-image.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import { memoryStaging } from '../../infra/staging/memory.ts';
import { rawFormat, startGateway, withUploads } from '../support/gateway.ts';

/** Staging whose bytes go while they are sealed, after something has happened to their image. */
function sweptStaging() {
  const staging = memoryStaging();
  const on = { sealing: async (_uploadId: string): Promise<unknown> => undefined };
  const swept: typeof staging = {
    ...staging,
    create: async (key) => ({
      ...(await staging.create(key)),
      async seal() {
        await on.sealing(key.uploadId);
        throw Object.assign(new Error('no such file or directory'), { code: 'ENOENT' });
      },
    }),
  };
  return { swept, on };
}

test('an upload that breaks because the bytes of its deleted image were swept is answered 410', async (t) => {
  const { swept, on } = sweptStaging();
  const gateway = await startGateway(t, withUploads({ staging: swept }));
  const id = await gateway.create(rawFormat);
  on.sealing = () => gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
  const answer = await gateway.upload(id, Buffer.alloc(10_000));
  assert.equal(answer.status, 410, answer.text);
  assert.equal((await gateway.ask(`/v2/images/${id}`)).status, 404);
});

test('an upload whose gateway slept until it was taken for dead, and its bytes swept, is answered 410', async (t) => {
  const { swept, on } = sweptStaging();
  const gateway = await startGateway(t, withUploads({ staging: swept }));
  const id = await gateway.create(rawFormat);
  const message = 'the gateway that received the upload died';
  on.sealing = (uploadId) => {
    const abort: ImageCommand = { type: 'AbortUpload', uploadId, reason: 'gateway-died', message };
    const metadata = {
      actor: { kind: 'system', part: 'worker' },
      requestId: 'req-test',
      correlationId: 'req-test',
    } as const;
    const handle = handleImage(gateway.ports.log);
    const context = { commandId: randomUUID(), metadata };
    return handle(`image-${id}`, abort, context, AbortSignal.timeout(10_000));
  };
  const answer = await gateway.upload(id, Buffer.alloc(10_000));
  assert.equal(answer.status, 410, answer.text);
  const shown = (await gateway.ask(`/v2/images/${id}`)).json();
  assert.equal(shown.status, 'queued');
  assert.equal(shown.os_glance_failed_upload, message);
});
