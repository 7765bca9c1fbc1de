import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStaging } from '../../infra/staging/memory.ts';
import { rawFormat, startGateway, withUploads } from '../support/gateway.ts';

test('an upload that breaks because the bytes of its deleted image were swept is answered 410', async (t) => {
  const staging = memoryStaging();
  let remove = async (): Promise<unknown> => undefined;
  const swept: typeof staging = {
    ...staging,
    create: async (key) => ({
      ...(await staging.create(key)),
      async seal() {
        await remove();
        throw Object.assign(new Error('no such file or directory'), { code: 'ENOENT' });
      },
    }),
  };
  const gateway = await startGateway(t, withUploads({ staging: swept }));
  const id = await gateway.create(rawFormat);
  remove = () => gateway.ask(`/v2/images/${id}`, { method: 'DELETE' });
  const answer = await gateway.upload(id, Buffer.alloc(10_000));
  assert.equal(answer.status, 410, answer.text);
  assert.equal((await gateway.ask(`/v2/images/${id}`)).status, 404);
});
