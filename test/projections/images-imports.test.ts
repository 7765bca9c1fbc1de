import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageEvent } from '../../domain/image/events.ts';
import { fold, type ImageEntry } from '../../projections/images/fold.ts';
import { keptImages } from '../../projections/images/kept.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { logOf, migrations, rebuildFrom } from './read-model.ts';
import { at, plain, recorded, uuid } from './recorded.ts';

const imageId = uuid('an image');
const uploadId = uuid('an upload');

const created: ImageEvent = { type: 'ImageCreated', data: plain };
const started: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId, owner: 'gateway-1', declaredSize: null, store: 'fast', purpose: 'stage' },
};
const staged: ImageEvent = { type: 'UploadStaged', data: { uploadId, size: 5 } };
const importing = (...stores: readonly string[]): ImageEvent => ({
  type: 'ImportRequested',
  data: { uploadId, method: { name: 'glance-direct' }, stores, allStoresMustSucceed: false },
});
const claimed: ImageEvent = {
  type: 'IngestClaimed',
  data: { uploadId, epoch: 1, supersedes: 0, owner: 'worker-1' },
};
const stored = (store: string): ImageEvent => ({
  type: 'ImageDataStored',
  data: { uploadId, epoch: 1, store, key: `${imageId}/${uploadId}/1`, size: 5 },
});
const activated: ImageEvent = { type: 'ImageActivated', data: { uploadId } };
const completed: ImageEvent = { type: 'ImportCompleted', data: { uploadId } };
const failed: ImageEvent = {
  type: 'IngestFailed',
  data: { uploadId, epoch: 1, reason: 'format-refused', message: 'it is no qcow2' },
};
const expired: ImageEvent = {
  type: 'UploadAborted',
  data: { uploadId, reason: 'staging-expired', message: 'too late' },
};
const dueAt = at(1000);
const scheduled: ImageEvent = {
  type: 'ImageDeletionScheduled',
  data: { dueAt: dueAt.toISOString() },
};
const restored: ImageEvent = { type: 'ImageRestored', data: {} };

const given = (...events: readonly ImageEvent[]): ImageEntry =>
  recorded(imageId, [created, ...events]).reduce(fold, {});
const upToStaged = [started, staged];
const active = [...upToStaged, importing('fast'), claimed, stored('fast'), activated, completed];

describe('an image that is staged', () => {
  test('shows its size and waits, of nobody’s', () => {
    assert.equal(given(started).image?.status, 'uploading');
    const { image, work } = given(...upToStaged);
    assert.deepEqual([image?.status, image?.size, image?.checksum], ['uploading', 5, null]);
    assert.deepEqual([work?.kind, work?.owner, work?.uploadId], ['stage', null, uploadId]);
    assert.deepEqual(work?.since, at(3));
  });

  test('is queued again with the reason when nobody asked for its import', () => {
    const { image, work } = given(...upToStaged, expired);
    assert.deepEqual([image?.status, image?.size, image?.failure], ['queued', null, 'too late']);
    assert.equal(image?.imports, null);
    assert.equal(work, undefined);
  });
});

describe('an image that is imported', () => {
  test('tells its task and where it goes', () => {
    const { image, work } = given(...upToStaged, importing('fast', 'cheap'));
    assert.equal(image?.status, 'importing');
    assert.deepEqual(image?.imports, { taskId: uploadId, to: ['fast', 'cheap'], failed: [] });
    assert.deepEqual([work?.kind, work?.owner, work?.epoch], ['ingest', null, 0]);
  });

  test('is active when its bytes are, and has no task any more', () => {
    const { image, work } = given(...active);
    assert.equal(image?.status, 'active');
    assert.deepEqual(image?.imports, { taskId: null, to: [], failed: [] });
    assert.deepEqual(
      image?.locations.map(({ store }) => store),
      ['fast'],
    );
    assert.equal(work, undefined);
  });

  test('names the stores that did not take it, where they were allowed not to', () => {
    const { image } = given(
      ...upToStaged,
      ...[importing('fast', 'cheap'), claimed, stored('cheap'), activated, completed],
    );
    assert.deepEqual(image?.imports, { taskId: null, to: [], failed: ['fast'] });
  });

  test('names all of them when it failed, until the next import', () => {
    const { image } = given(...upToStaged, importing('fast', 'cheap'), claimed, failed);
    assert.equal(image?.status, 'queued');
    assert.equal(image?.failure, 'it is no qcow2');
    assert.deepEqual(image?.imports, { taskId: null, to: [], failed: ['fast', 'cheap'] });
  });
});

describe('a deleted image that is kept', () => {
  test('is no image, and work for the time when it is due', () => {
    const { image, kept, work } = given(...active, scheduled);
    assert.equal(image, undefined);
    assert.deepEqual(kept?.due, dueAt);
    assert.deepEqual([work?.kind, work?.due, work?.uploadId], ['scrub', dueAt, null]);
  });

  test('comes back as it was', () => {
    const before = given(...active);
    const { image, kept, work } = given(...active, scheduled, restored);
    assert.deepEqual([kept, work], [undefined, undefined]);
    assert.deepEqual({ ...image, updatedAt: null }, { ...before.image, updatedAt: null });
  });

  test('leaves its bytes to be removed when its time is over', () => {
    const { image, kept, work } = given(...active, scheduled, { type: 'ImageDeleted', data: {} });
    assert.deepEqual([image, kept, work?.kind], [undefined, undefined, 'remove']);
  });

  test('is in no listing, keeps its copies named, and is no open work before its time', async () => {
    const { pool } = await testDatabase(migrations);
    const due = new Date(Date.now() + 3_600_000);
    const events = [created, ...active, { ...scheduled, data: { dueAt: due.toISOString() } }];
    await rebuildFrom(pool, logOf(recorded(imageId, events as ImageEvent[])));
    const images = imageQueries(pool);
    assert.equal(await images.show(imageId), undefined);
    assert.deepEqual(await images.openWork(), []);
    const copy = `fast/${imageId}/${uploadId}/1`;
    assert.deepEqual([...(await images.namedKeys([copy, 'fast/other']))], [copy]);
    assert.deepEqual(await keptImages(pool), [
      { id: imageId, name: 'cirros', owner: 'project-a', size: 5, due },
    ]);
    await pool.query(`update images.work set due = now() - interval '1 second'`);
    assert.deepEqual(
      (await images.openWork()).map(({ kind }) => kind),
      ['scrub'],
    );
  });
});
