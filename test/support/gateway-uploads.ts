import assert from 'node:assert/strict';
import type { Image } from '../../domain/image/state.ts';
import type { TestGateway } from './gateway.ts';
import { pipeline } from './gateway-worker.ts';
import { until } from './until.ts';

export interface StagedUpload {
  readonly uploadId: string;
  readonly size: number;
}

/** Resolves once the log has the upload staged. */
export async function whenStaged(gateway: TestGateway, id: string): Promise<StagedUpload> {
  return until('the upload to be staged', async () => {
    const { events } = await gateway.ports.log.readStream(`image-${id}`);
    const event = events.find(({ type }) => type === 'UploadStaged');
    return event === undefined ? undefined : (event.data as unknown as StagedUpload);
  });
}

/** What a worker does with it. */
export async function activate(
  gateway: TestGateway,
  id: string,
  { uploadId, size }: StagedUpload,
): Promise<void> {
  const tell = pipeline(gateway.ports.log);
  await tell(id, { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'w' });
  const digests = { md5: 'aa', sha512: 'bb' };
  const stored = [{ store: 'file', key: 'k' }];
  const result = { stored, digests, algorithm: 'sha512', detected: null, virtualSize: size };
  const { state }: { state: Image } = await tell(id, {
    type: 'CompleteIngest',
    uploadId,
    epoch: 1,
    result,
  });
  assert.equal(state.status, 'active');
}

/** The image is queued again, the log says why, and nothing is left in staging. */
export async function assertUndone(
  gateway: TestGateway,
  id: string,
  reason: string,
): Promise<void> {
  const { events } = await gateway.ports.log.readStream(`image-${id}`);
  assert.deepEqual([events.at(-1)?.type, events.at(-1)?.data.reason], ['UploadAborted', reason]);
  assert.equal((await gateway.ask(`/v2/images/${id}`)).json().status, 'queued');
  assert.deepEqual(await gateway.staged(), []);
}
