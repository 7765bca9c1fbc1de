import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import { specOf } from '../support/spec.ts';
import {
  activated,
  asks,
  claimed,
  completed,
  created,
  createdAs,
  deactivated,
  failed,
  histories,
  member,
  reader,
  result,
  staged,
  started,
  stateAfter,
  stranger,
} from './fixtures.ts';

const given = specOf(image);
const ask = asks(member);

const stagingStarted = { ...started, data: { ...started.data, purpose: 'stage' } } as ImageEvent;
const uploading = [created, stagingStarted];
const waiting = [...uploading, staged];
const requested: ImageEvent = {
  type: 'ImportRequested',
  data: {
    uploadId: 'first',
    method: { name: 'glance-direct' },
    stores: ['file'],
    allStoresMustSucceed: true,
  },
};
const importing = [...waiting, requested];

describe('staging', () => {
  test('begins on a queued image alone, formats or not', () => {
    const begun: ImageEvent = {
      type: 'UploadStarted',
      data: {
        uploadId: 'second',
        owner: 'gateway-2',
        declaredSize: null,
        store: 'file',
        purpose: 'stage',
      },
    };
    given(createdAs({ diskFormat: null }))
      .when(ask.BeginStaging)
      .records(begun);
    for (const history of [histories.saving, uploading, waiting, importing, activated])
      given(...history)
        .when(ask.BeginStaging)
        .refused('image-not-queued');
  });

  test('waits for its import: nobody may claim what is only staged', () => {
    const claim = { type: 'ClaimIngest', uploadId: 'first', supersedes: 0, owner: 'w' } as const;
    given(...waiting)
      .when(claim)
      .refused('claim-superseded');
    given(...importing)
      .when(claim)
      .records({
        type: 'IngestClaimed',
        data: { uploadId: 'first', epoch: 1, supersedes: 0, owner: 'w' },
      });
  });

  test('is given up when it waited too long, but not once its import was asked for', () => {
    const reason = 'staging-expired';
    const abort = { type: 'AbortUpload', uploadId: 'first', reason, message: 'too late' } as const;
    given(...waiting)
      .when(abort)
      .records({ type: 'UploadAborted', data: { uploadId: 'first', reason, message: 'too late' } });
    given(...importing)
      .when(abort)
      .refused('upload-ended');
    given(...waiting)
      .when({ ...abort, reason: 'gateway-died' })
      .refused('upload-ended');
    assert.equal(
      stateAfter(...waiting, {
        type: 'UploadAborted',
        data: { uploadId: 'first', reason, message: '' },
      }).status,
      'queued',
    );
  });
});

describe('an import', () => {
  test('keeps the id of what was staged, and is asked for once', () => {
    given(...waiting)
      .when(ask.RequestImport)
      .records(requested);
    given(...importing)
      .when(ask.RequestImport)
      .refused('operation-in-progress');
  });

  test('needs bytes that are staged, and formats', () => {
    given(...uploading)
      .when(ask.RequestImport)
      .refused('wrong-status');
    for (const history of [histories.queued, histories.saving, activated])
      given(...history)
        .when(ask.RequestImport)
        .refused('wrong-status');
    for (const missing of [{ diskFormat: null }, { containerFormat: null }])
      given(createdAs(missing), stagingStarted, staged)
        .when(ask.RequestImport)
        .refused('formats-missing-for-import');
  });

  test('is for who may change the image', () => {
    given(...waiting)
      .when(asks(reader).RequestImport)
      .refused('not-allowed');
    given(...waiting)
      .when(asks(stranger).RequestImport)
      .refused('image-unknown');
    given(...waiting)
      .when(asks(reader).BeginStaging)
      .refused('not-allowed');
  });

  test('ends with its image active, and says that it ended', () => {
    const complete = { type: 'CompleteIngest', uploadId: 'first', epoch: 1, result } as const;
    const end: ImageEvent = { type: 'ImportCompleted', data: { uploadId: 'first' } };
    given(...importing, claimed(1))
      .when(complete)
      .records(...completed(1), end);
    const state = stateAfter(...importing, claimed(1), ...completed(1), end);
    assert.deepEqual([state.status, 'upload' in state && state.upload], ['active', null]);
  });

  test('that failed leaves the image queued, to be staged again', () => {
    const state = stateAfter(...importing, claimed(1), failed);
    assert.deepEqual([state.status, 'upload' in state && state.upload], ['queued', null]);
  });
});

describe('a delayed deletion', () => {
  const dueAt = '2026-05-01T09:00:00.000Z';
  const late: ImageCommand = { ...ask.DeleteImage, keepUntil: dueAt };
  const scheduled: ImageEvent = { type: 'ImageDeletionScheduled', data: { dueAt } };
  const restored: ImageEvent = { type: 'ImageRestored', data: {} };
  const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };

  test('keeps what has bytes; the rest goes at once, with its attempt', () => {
    given(...activated)
      .when(late)
      .records(scheduled);
    given(...activated, deactivated)
      .when(late)
      .records(scheduled);
    given(created).when(late).records(deleted);
    given(...importing)
      .when(late)
      .records({ type: 'ImageDeleted', data: { uploadId: 'first' } });
  });

  test('is the end for everybody: what is kept is not there', () => {
    for (const command of Object.values(ask))
      given(...activated, scheduled)
        .when(command)
        .refused('image-unknown');
    given(...activated, scheduled)
      .when({ type: 'CreateImage', caller: member, attributes: { ...created.data } as never })
      .refused('image-exists');
  });

  test('ends when it is due, not before, and once', () => {
    const scrub = (at: string) => ({ type: 'ScrubImage', at }) as const;
    given(...activated, scheduled)
      .when(scrub('2026-05-01T08:59:59.999Z'))
      .records();
    given(...activated, scheduled)
      .when(scrub(dueAt))
      .records(deleted);
    given(...activated, scheduled, deleted)
      .when(scrub(dueAt))
      .records();
    given(...activated)
      .when(scrub(dueAt))
      .records();
  });

  test('is taken back by a restore, which brings the image back as it was', () => {
    const restore = { type: 'RestoreImage' } as const;
    given(...activated, scheduled)
      .when(restore)
      .records(restored);
    assert.deepEqual(
      stateAfter(...activated, deactivated, scheduled, restored),
      stateAfter(...activated, deactivated),
    );
    given(...activated)
      .when(restore)
      .refused('wrong-status', /active/);
    given(...activated, scheduled, deleted)
      .when(restore)
      .refused('wrong-status', /deleted/);
    given().when(restore).refused('image-unknown');
  });
});
