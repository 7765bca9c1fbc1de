import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageEvent } from '../../domain/image/events.ts';
import { evolve } from '../../domain/image/evolve.ts';
import { image } from '../../domain/image/image.ts';
import { absent } from '../../domain/image/state.ts';
import { chargeOf } from '../../domain/quota/charge.ts';
import { specOf } from '../support/spec.ts';
import { admin, attributes } from './fixtures.ts';

const given = specOf(image);
const created: ImageEvent = { type: 'ImageCreated', data: attributes };
const abandoned: ImageEvent = { type: 'ReservationAbandoned', data: { reservationId: 'r1' } };
const create = { type: 'CreateImage', caller: admin, attributes } as const;
const begin = {
  type: 'BeginUpload',
  caller: admin,
  uploadId: 'u1',
  owner: 'gateway-1',
  declaredSize: 10,
  store: 'file',
} as const;
const started: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId: 'u1', owner: 'gateway-1', declaredSize: 10, store: 'file' },
};

describe('a reservation that was given up', () => {
  test('lets its creation come too late, and no other', () => {
    given(abandoned)
      .when({ ...create, reservation: 'r1' })
      .refused('reservation-abandoned');
    given(abandoned)
      .when({ ...create, reservation: 'r2' })
      .records(created);
    given(abandoned).when(create).records(created);
  });

  test('lets its upload come too late, and no other', () => {
    given(created, abandoned)
      .when({ ...begin, reservation: 'r1' })
      .refused('reservation-abandoned');
    given(created, abandoned)
      .when({ ...begin, reservation: 'r2' })
      .records(started);
  });

  test('is given up once, and not of what is gone', () => {
    const abandon = { type: 'AbandonReservation', reservationId: 'r1' } as const;
    given().when(abandon).records(abandoned);
    given(created).when(abandon).records(abandoned);
    given(abandoned).when(abandon).records();
    given(created, { type: 'ImageDeleted', data: {} }).when(abandon).records();
  });
});

describe('what an image takes of the quota', () => {
  const charge = (...events: readonly ImageEvent[]) => chargeOf(events.reduce(evolve, absent));
  const stored = (store: string): ImageEvent => ({
    type: 'ImageDataStored',
    data: { uploadId: 'u1', epoch: 1, store, key: `k-${store}`, size: 10 },
  });
  const active: ImageEvent = { type: 'ImageActivated', data: { uploadId: 'u1' } };
  const staging = { ...started, data: { ...started.data, purpose: 'stage' } } as ImageEvent;
  const staged: ImageEvent = { type: 'UploadStaged', data: { uploadId: 'u1', size: 10 } };

  test('nothing before it is there and after it is gone', () => {
    const none = { images: 0, bytes: 0, staged: 0, uploads: 0 };
    assert.deepEqual(charge(), none);
    assert.deepEqual(charge(abandoned), none);
    assert.deepEqual(charge(created, { type: 'ImageDeleted', data: {} }), none);
    const bytes = [created, started, stored('a'), active];
    const due: ImageEvent = {
      type: 'ImageDeletionScheduled',
      data: { dueAt: '2030-01-01T00:00:00Z' },
    };
    assert.deepEqual(charge(...bytes, due), none);
    const restored: ImageEvent = { type: 'ImageRestored', data: {} };
    assert.equal(charge(...bytes, due, restored).bytes, 10);
  });

  test('one upload while bytes come, then the bytes once per location', () => {
    assert.deepEqual(charge(created), { images: 1, bytes: 0, staged: 0, uploads: 0 });
    assert.deepEqual(charge(created, started), { images: 1, bytes: 0, staged: 0, uploads: 1 });
    const twice = charge(created, started, stored('a'), stored('b'), active);
    assert.deepEqual(twice, { images: 1, bytes: 20, staged: 0, uploads: 0 });
  });

  test('the bytes in staging while they wait for an import', () => {
    assert.deepEqual(charge(created, staging), { images: 1, bytes: 0, staged: 0, uploads: 1 });
    const waiting = charge(created, staging, staged);
    assert.deepEqual(waiting, { images: 1, bytes: 0, staged: 10, uploads: 1 });
    const plain = charge(created, started, staged);
    assert.deepEqual(plain, { images: 1, bytes: 0, staged: 0, uploads: 1 });
  });
});
