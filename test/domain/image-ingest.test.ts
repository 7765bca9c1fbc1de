import { test } from 'node:test';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import { maxDeadClaims } from '../../domain/image/state.ts';
import { specOf } from '../support/spec.ts';
import {
  aborted,
  claimed,
  completed,
  created,
  deleted,
  released,
  result,
  staged,
  started,
} from './fixtures.ts';

const given = specOf(image);
const claim = (supersedes: number): ImageCommand => ({
  type: 'ClaimIngest',
  uploadId: 'first',
  supersedes,
  owner: `worker-${supersedes + 1}`,
});
const complete = (epoch: number): ImageCommand => ({
  type: 'CompleteIngest',
  uploadId: 'first',
  epoch,
  result,
});
const waiting = [created, started, staged];
const deaths = (count: number) => Array.from({ length: count }, (_, index) => claimed(index + 1));

test('of two workers that saw the same epoch one gets the claim', () => {
  given(...waiting)
    .when(claim(0))
    .records(claimed(1));
  given(...waiting, claimed(1))
    .when(claim(0))
    .refused('claim-superseded');
});

test("a zombie's result, failure and release are refused once another has claimed", () => {
  const taken = given(...waiting, claimed(1), claimed(2));
  taken.when(complete(1)).refused('claim-superseded');
  taken
    .when({
      type: 'FailIngest',
      uploadId: 'first',
      epoch: 1,
      reason: 'store-full',
      message: 'no room',
    })
    .refused('claim-superseded');
  taken.when({ type: 'ReleaseIngest', uploadId: 'first', epoch: 1 }).refused('claim-superseded');
  taken.when(complete(2)).records(...completed(2));
});

test('a result of an epoch that nobody claimed yet is refused', () => {
  given(...waiting, claimed(1))
    .when(complete(2))
    .refused('claim-superseded');
});

test('who released its claim cannot finish under it', () => {
  given(...waiting, claimed(1), released(1))
    .when(complete(1))
    .refused('claim-superseded');
});

test('a released claim is followed by the next epoch, never by its own', () => {
  const free = given(...waiting, claimed(1), released(1));
  free.when(claim(0)).refused('claim-superseded');
  free.when(claim(1)).records(claimed(2));
});

test('a result of an earlier upload is refused while the next one runs', () => {
  const second: ImageEvent = {
    type: 'UploadStarted',
    data: { uploadId: 'second', owner: 'gateway-1', declaredSize: null, store: 'file' },
  };
  const secondStaged: ImageEvent = { type: 'UploadStaged', data: { uploadId: 'second', size: 9 } };
  const again = given(created, started, aborted, second, secondStaged);
  again.when(claim(0)).refused('upload-ended');
  again.when(complete(1)).refused('upload-ended');
  again.when({ type: 'CompleteUpload', uploadId: 'first', size: 512 }).refused('upload-ended');
  again
    .when({ type: 'AbortUpload', uploadId: 'first', reason: 'gateway-died', message: 'late' })
    .records();
});

test('a result for a deleted image is refused', () => {
  given(...waiting, claimed(1), deleted)
    .when(complete(1))
    .refused('upload-ended');
});

test('the claim after the fifth death ends the upload with its reason', () => {
  given(...waiting, ...deaths(maxDeadClaims - 1))
    .when(claim(maxDeadClaims - 1))
    .records(claimed(maxDeadClaims));
  given(...waiting, ...deaths(maxDeadClaims))
    .when(claim(maxDeadClaims))
    .records({
      type: 'IngestFailed',
      data: {
        uploadId: 'first',
        epoch: maxDeadClaims + 1,
        reason: 'workers-died',
        message: '5 workers died while they worked on this upload; it was given up',
      },
    });
});

test('a release is no death', () => {
  const orderly = deaths(8).flatMap((death, index) => [death, released(index + 1)]);
  given(...waiting, ...orderly)
    .when(claim(8))
    .records(claimed(9));
});

test('deaths before a release still count', () => {
  given(...waiting, ...deaths(5), released(5), claimed(6))
    .when(claim(6))
    .records({
      type: 'IngestFailed',
      data: {
        uploadId: 'first',
        epoch: 7,
        reason: 'workers-died',
        message: '5 workers died while they worked on this upload; it was given up',
      },
    });
});
