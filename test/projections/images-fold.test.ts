import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageEvent } from '../../domain/image/events.ts';
import { fold, type ImageEntry, type ImageRow } from '../../projections/images/fold.ts';
import type { Work } from '../../projections/images/record.ts';
import { at, plain, recorded } from './recorded.ts';

const imageId = '0c5a8b0e-9f5e-4f6f-8f3c-5b6f0d1c2a01';
const uploadId = 'upload-1';

const given = (...events: readonly ImageEvent[]): ImageEntry =>
  recorded(imageId, events).reduce(fold, {});

const created: ImageEvent = { type: 'ImageCreated', data: plain };
const started: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId, owner: 'gateway-1', declaredSize: 5, store: 'file' },
};
const staged: ImageEvent = { type: 'UploadStaged', data: { uploadId, size: 5 } };
const claimed = (epoch: number): ImageEvent => ({
  type: 'IngestClaimed',
  data: { uploadId, epoch, supersedes: epoch - 1, owner: `worker-${epoch}` },
});
const finished: readonly ImageEvent[] = [
  {
    type: 'ImageDataStored',
    data: { uploadId, epoch: 1, store: 'file', key: `${imageId}/${uploadId}/1`, size: 5 },
  },
  {
    type: 'ImageDigested',
    data: { uploadId, digests: { md5: 'aa', sha512: 'bb' }, algorithm: 'sha512' },
  },
  {
    type: 'DiskFormatInspected',
    data: { uploadId, declared: 'qcow2', detected: 'qcow2', virtualSize: 7 },
  },
];
const activated: ImageEvent = { type: 'ImageActivated', data: { uploadId } };
const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };

const queued: ImageRow = {
  ...plain,
  id: imageId,
  status: 'queued',
  size: null,
  virtualSize: null,
  checksum: null,
  hashAlgorithm: null,
  hashValue: null,
  members: [],
  createdAt: at(1),
  updatedAt: at(1),
  locations: [],
  imports: null,
  failure: null,
  gathered: null,
};
const received: Work = {
  imageId,
  kind: 'receive',
  uploadId,
  owner: 'gateway-1',
  epoch: 0,
  position: 2n,
  since: at(2),
  due: null,
  correlationId: 'correlation of UploadStarted',
};

test('a created image is queued, and nothing is to be done for it', () => {
  assert.deepEqual(given(created), { image: queued });
});

test('an update changes the fields and properties that it names, and the time', () => {
  const { image } = given(
    { ...created, data: { ...plain, properties: { os: 'debian', gone: 'x' } } },
    {
      type: 'ImageUpdated',
      data: {
        changes: [{ field: 'name', from: 'cirros', to: null }],
        properties: [
          { property: 'gone', from: 'x', to: null },
          { property: '__proto__', from: null, to: 'just a name' },
        ],
      },
    },
  );
  const properties = JSON.parse('{"os":"debian","__proto__":"just a name"}');
  assert.deepEqual(image, { ...queued, name: null, properties, updatedAt: at(2) });
});

test('visibility, protection and tags are what they were last changed to', () => {
  const { image } = given(
    created,
    { type: 'VisibilityChanged', data: { from: 'shared', to: 'public' } },
    { type: 'ProtectionChanged', data: { from: false, to: true } },
    { type: 'TagAdded', data: { tag: 'a' } },
    { type: 'TagAdded', data: { tag: 'b' } },
    { type: 'TagRemoved', data: { tag: 'a' } },
  );
  assert.deepEqual(image, {
    ...queued,
    visibility: 'public',
    protected: true,
    tags: ['b'],
    updatedAt: at(6),
  });
});

test('members have their own times, and the image keeps its own', () => {
  const { image } = given(
    created,
    { type: 'MemberAdded', data: { member: 'a' } },
    { type: 'MemberAdded', data: { member: '__proto__' } },
    { type: 'MemberAdded', data: { member: 'b' } },
    { type: 'MemberStatusChanged', data: { member: 'b', from: 'pending', to: 'accepted' } },
    { type: 'MemberRemoved', data: { member: 'a' } },
  );
  const members = [
    { projectId: '__proto__', status: 'pending', createdAt: at(3), updatedAt: at(3) },
    { projectId: 'b', status: 'accepted', createdAt: at(4), updatedAt: at(5) },
  ] as const;
  assert.deepEqual(image, { ...queued, members });
});

test('an upload that has begun is work of the gateway that receives it', () => {
  assert.deepEqual(given(created, started), {
    image: { ...queued, status: 'saving', gathered: {}, updatedAt: at(2) },
    work: received,
  });
});

test('a staged upload waits for whoever claims it, and clients see no change', () => {
  const { image, work } = given(created, started, staged);
  assert.deepEqual(work, {
    ...received,
    kind: 'ingest',
    owner: null,
    position: 3n,
    since: at(3),
  });
  assert.deepEqual(image?.updatedAt, at(2));
});

test('the newest claim owns the work, and a release frees it', () => {
  const { work } = given(created, started, staged, claimed(1), claimed(2));
  assert.deepEqual(work, {
    ...received,
    kind: 'ingest',
    owner: 'worker-2',
    epoch: 2,
    position: 5n,
    since: at(5),
  });
  const released: ImageEvent = { type: 'IngestReleased', data: { uploadId, epoch: 2 } };
  const after = given(created, started, staged, claimed(1), claimed(2), released);
  assert.deepEqual(after.work, { ...work, owner: null, position: 6n, since: at(6) });
});

test('what the ingest found shows only once the image is active', () => {
  const before = given(created, started, staged, claimed(1), ...finished);
  assert.equal(before.image?.size, null);
  assert.equal(before.image?.checksum, null);
  assert.deepEqual(given(created, started, staged, claimed(1), ...finished, activated), {
    image: {
      ...queued,
      status: 'active',
      size: 5,
      virtualSize: 7,
      checksum: 'aa',
      hashAlgorithm: 'sha512',
      hashValue: 'bb',
      locations: [
        {
          id: `${imageId}/${uploadId}/1`,
          store: 'file',
          key: `${imageId}/${uploadId}/1`,
          ours: true,
          metadata: {},
        },
      ],
      updatedAt: at(8),
    },
    work: undefined,
  });
});

test('a failed ingest leaves a queued image that says why, until the next upload', () => {
  const failed: ImageEvent = {
    type: 'IngestFailed',
    data: { uploadId, epoch: 1, reason: 'format-refused', message: 'has a backing file' },
  };
  const after = given(created, started, staged, claimed(1), ...finished, failed);
  assert.deepEqual(after, {
    image: { ...queued, failure: 'has a backing file', updatedAt: at(8) },
    work: undefined,
  });
  const again = given(created, started, staged, claimed(1), failed, started);
  assert.equal(again.image?.failure, null);
});

test('an aborted upload leaves a queued image that says why', () => {
  const { image, work } = given(created, started, {
    type: 'UploadAborted',
    data: { uploadId, reason: 'client-gone', message: 'the client hung up' },
  });
  assert.equal(image?.status, 'queued');
  assert.equal(image?.failure, 'the client hung up');
  assert.equal(work, undefined);
});

test('events of another upload than the open one change nothing', () => {
  const before = given(created, started);
  const late: ImageEvent = { type: 'ImageActivated', data: { uploadId: 'upload-0' } };
  assert.deepEqual(given(created, started, late), before);
});

test('deactivation and reactivation change the status alone', () => {
  const active = [created, started, staged, claimed(1), ...finished, activated];
  const deactivated = given(...active, { type: 'ImageDeactivated', data: {} });
  assert.equal(deactivated.image?.status, 'deactivated');
  assert.equal(deactivated.image?.size, 5);
  const back = given(
    ...active,
    { type: 'ImageDeactivated', data: {} },
    { type: 'ImageReactivated', data: {} },
  );
  assert.equal(back.image?.status, 'active');
});

test('a deleted image is gone, and its bytes are work until they are gone too', () => {
  const after = given(created, started, staged, deleted);
  assert.deepEqual(after, {
    work: {
      imageId,
      kind: 'remove',
      uploadId: null,
      owner: null,
      epoch: 0,
      position: 4n,
      since: at(4),
      due: null,
      correlationId: 'correlation of ImageDeleted',
    },
  });
  const removed: ImageEvent = { type: 'ImageDataRemoved', data: {} };
  assert.deepEqual(given(created, started, staged, deleted, removed), {});
});

test('an image deleted while queued leaves nothing to do', () => {
  assert.deepEqual(given(created, deleted), {});
});
