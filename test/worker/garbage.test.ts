import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judgeOf } from '../../apps/worker/garbage.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';

const key = (uploadId: string, epoch: number): string => `image/${uploadId}/${epoch}`;
const judging = (...events: readonly ImageEvent[]) =>
  judgeOf('image', events as unknown as readonly RecordedEvent[]);

const created: ImageEvent = {
  type: 'ImageCreated',
  data: {
    name: null,
    owner: null,
    visibility: 'private',
    protected: false,
    hidden: false,
    diskFormat: 'raw',
    containerFormat: 'bare',
    minDisk: 0,
    minRam: 0,
    tags: [],
    properties: {},
  },
};
const started = (uploadId: string): ImageEvent => ({
  type: 'UploadStarted',
  data: { uploadId, owner: 'gateway-1', declaredSize: null, store: 'file' },
});
const staged = (uploadId: string): ImageEvent => ({
  type: 'UploadStaged',
  data: { uploadId, size: 1 },
});
const claimed = (uploadId: string, epoch: number): ImageEvent => ({
  type: 'IngestClaimed',
  data: { uploadId, epoch, supersedes: epoch - 1, owner: `worker-${epoch}` },
});
const activated = (uploadId: string, epoch: number): readonly ImageEvent[] => [
  {
    type: 'ImageDataStored',
    data: { uploadId, epoch, store: 'file', key: key(uploadId, epoch), size: 1 },
  },
  { type: 'ImageDigested', data: { uploadId, digests: { md5: '' }, algorithm: 'sha512' } },
  { type: 'ImageActivated', data: { uploadId } },
];
const failed = (uploadId: string, epoch: number): ImageEvent => ({
  type: 'IngestFailed',
  data: { uploadId, epoch, reason: 'format-refused', message: '' },
});
const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };

describe('staged bytes', () => {
  test('of an image that the log does not know are nobody to judge', () => {
    assert.equal(judging().staged('a'), 'unknown');
  });

  test('of an upload that the log does not know are nobody to judge', () => {
    assert.equal(judging(created, started('a')).staged('b'), 'unknown');
  });

  test('are needed until the upload ends', () => {
    for (const events of [
      [started('a')],
      [started('a'), staged('a')],
      [started('a'), staged('a'), claimed('a', 1), claimed('a', 2)],
    ])
      assert.equal(judging(created, ...events).staged('a'), 'needed');
  });

  test('are garbage once it ended, however it did', () => {
    const aborted: ImageEvent = {
      type: 'UploadAborted',
      data: { uploadId: 'a', reason: 'client-gone', message: '' },
    };
    for (const events of [
      [started('a'), aborted],
      [started('a'), staged('a'), claimed('a', 1), failed('a', 1)],
      [started('a'), staged('a'), claimed('a', 1), ...activated('a', 1)],
      [started('a'), deleted],
      [started('a'), aborted, started('b')],
    ])
      assert.equal(judging(created, ...events).staged('a'), 'garbage');
  });
});

describe('stored bytes', () => {
  test('that no claim could have written are nobody to judge', () => {
    assert.equal(judging().stored('file', key('a', 1)), 'unknown');
    const judge = judging(created, started('a'), staged('a'), claimed('a', 1));
    assert.equal(judge.stored('file', key('b', 1)), 'unknown');
    assert.equal(judge.stored('file', key('a', 2)), 'unknown');
  });

  test('of the newest claim are needed, those of superseded ones are garbage', () => {
    const judge = judging(created, started('a'), staged('a'), claimed('a', 1), claimed('a', 2));
    assert.equal(judge.stored('file', key('a', 1)), 'garbage');
    assert.equal(judge.stored('file', key('a', 2)), 'needed');
  });

  test('that the image names are needed, its other attempts are garbage', () => {
    const judge = judging(
      created,
      started('a'),
      staged('a'),
      claimed('a', 1),
      failed('a', 1),
      started('b'),
      staged('b'),
      claimed('b', 1),
      claimed('b', 2),
      ...activated('b', 2),
      { type: 'ImageDeactivated', data: {} },
    );
    assert.equal(judge.stored('file', key('b', 2)), 'needed');
    assert.equal(judge.stored('file', key('b', 1)), 'garbage');
    assert.equal(judge.stored('file', key('a', 1)), 'garbage');
    assert.deepEqual(judge.keys, [key('a', 1), key('b', 1), key('b', 2)]);
    assert.deepEqual(judge.uploads, ['a', 'b']);
  });

  test('that the image names elsewhere are garbage only where its attempt could have put them', () => {
    const direct: ImageEvent = {
      type: 'ImportRequested',
      data: {
        uploadId: 'a',
        method: { name: 'glance-direct' },
        stores: ['file', 'missed'],
        allStoresMustSucceed: false,
      },
    };
    const imported = [started('a'), staged('a'), direct, claimed('a', 1), ...activated('a', 1)];
    const judge = judging(created, ...imported);
    assert.equal(judge.stored('missed', key('a', 1)), 'garbage');
    assert.equal(judge.stored('renamed', key('a', 1)), 'unknown');
    assert.equal(judging(created, ...imported, deleted).stored('renamed', key('a', 1)), 'garbage');
  });

  test('of a deleted image are garbage, whoever wrote them', () => {
    const judge = judging(
      created,
      started('a'),
      staged('a'),
      claimed('a', 1),
      ...activated('a', 1),
      deleted,
    );
    assert.equal(judge.stored('file', key('a', 1)), 'garbage');
    assert.equal(judge.stored('file', key('z', 9)), 'garbage');
  });
});
