import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageEvent } from '../../domain/image/events.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { logOf, migrations, rebuildFrom } from './read-model.ts';
import { at, plain, recorded, uuid } from './recorded.ts';

const imageId = uuid('an image');
const uploading: readonly ImageEvent[] = [
  { type: 'ImageCreated', data: plain },
  {
    type: 'UploadStarted',
    data: { uploadId: 'u', owner: 'gateway-1', declaredSize: null, store: 'file' },
  },
  { type: 'UploadStaged', data: { uploadId: 'u', size: 5 } },
  { type: 'IngestClaimed', data: { uploadId: 'u', epoch: 1, supersedes: 0, owner: 'worker-1' } },
];

test('open work is what the log says is unfinished', async () => {
  const { pool } = await testDatabase(migrations);
  await rebuildFrom(pool, logOf(recorded(imageId, uploading)));
  assert.deepEqual(await imageQueries(pool).openWork(), [
    {
      imageId,
      kind: 'ingest',
      uploadId: 'u',
      owner: 'worker-1',
      epoch: 1,
      position: 4n,
      since: at(4),
      due: null,
      correlationId: 'correlation of UploadStarted',
    },
  ]);
});

test('of a deleted image only the removal of its bytes is open', async () => {
  const { pool } = await testDatabase(migrations);
  const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };
  await rebuildFrom(pool, logOf(recorded(imageId, [...uploading, deleted])));
  const images = imageQueries(pool);
  const work = await images.openWork();
  assert.deepEqual(
    work.map(({ kind, uploadId, owner }) => ({ kind, uploadId, owner })),
    [{ kind: 'remove', uploadId: null, owner: null }],
  );
  assert.equal(await images.show(imageId), undefined);
  assert.equal(await images.checkpoint(), 5n);
});
