import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { QuotaEvent, Reservation } from '../../domain/quota/events.ts';
import { outcomeOf } from '../../domain/quota/outcome.ts';
import {
  doubtsOf,
  type Grounds,
  noneOpen,
  othersMayReturn,
  quota,
} from '../../domain/quota/quota.ts';
import { inWireUnit, limited, nothing } from '../../domain/quota/resources.ts';
import { specOf } from '../support/spec.ts';

const given = specOf(quota);
const limits = { images: 3, bytes: 100 };
const grounds: Grounds = { projectId: 'red', usage: nothing, counted: new Set() };
const using = (usage: Partial<Grounds['usage']>, counted: readonly string[] = []): Grounds => ({
  projectId: 'red',
  usage: { ...nothing, ...usage },
  counted: new Set(counted),
});
const creation: Reservation = {
  reservationId: 'r1',
  imageId: 'i1',
  act: 'command',
  attempt: 'r1',
  owner: 'gateway-1',
  amounts: { images: 1 },
  growing: false,
};
const upload: Reservation = {
  ...creation,
  reservationId: 'u1',
  act: 'upload',
  attempt: 'u1',
  amounts: { bytes: 10, uploads: 1 },
  growing: true,
};
const reserved = (reservation: Reservation): QuotaEvent => ({
  type: 'QuotaReserved',
  data: { ...reservation, limits },
});
const reserve = (reservation: Reservation, on = grounds) =>
  ({ type: 'Reserve', reservation, limits, grounds: on }) as const;
const extend = (needed: number, slack: number, on = grounds) =>
  ({
    type: 'Extend',
    reservationId: 'u1',
    resource: 'bytes',
    needed,
    slack,
    limit: 100,
    grounds: on,
  }) as const;
const extended = (by: number): QuotaEvent => ({
  type: 'QuotaExtended',
  data: { reservationId: 'u1', resource: 'bytes', by, limit: 100 },
});

describe('reserving', () => {
  test('what fits is reserved, to the last one', () => {
    given()
      .when(reserve(creation, using({ images: 2 })))
      .records(reserved(creation));
  });

  test('what does not fit is refused', () => {
    given()
      .when(reserve(creation, using({ images: 3 })))
      .refused('quota-exceeded');
  });

  test('a limit of zero lets nothing in', () => {
    given()
      .when({ ...reserve(creation), limits: { images: 0 } })
      .refused('quota-exceeded');
  });

  test('what is open takes room', () => {
    const others = ['r2', 'r3'].map((reservationId) => reserved({ ...creation, reservationId }));
    given(...others)
      .when(reserve(creation, using({ images: 1 })))
      .refused('quota-exceeded');
    given(...others)
      .when(reserve(creation))
      .records(reserved(creation));
  });

  test('what is open and counted already takes room once', () => {
    given(reserved({ ...creation, reservationId: 'r2' }))
      .when(reserve(creation, using({ images: 2 }, ['r2/images'])))
      .records(reserved(creation));
  });

  test('a repeat changes nothing, even when there is no room left', () => {
    given(reserved(creation))
      .when(reserve(creation, using({ images: 9 })))
      .records();
  });

  test('one resource that is short refuses all', () => {
    const both = { ...upload, amounts: { images: 1, bytes: 101 } };
    given().when(reserve(both)).refused('quota-exceeded');
  });
});

describe('growing', () => {
  const open = reserved(upload);

  test('some is taken in advance, less as the limit comes near', () => {
    given(open).when(extend(10, 1000)).records(extended(90));
    given(open)
      .when({ ...extend(10, 1000), limit: 10_000_000 })
      .records({
        type: 'QuotaExtended',
        data: { reservationId: 'u1', resource: 'bytes', by: 1010, limit: 10_000_000 },
      });
  });

  test('the last byte fits, one more does not', () => {
    given(open).when(extend(90, 0)).records(extended(90));
    given(open).when(extend(91, 0)).refused('quota-exceeded');
  });

  test('room is sought once, and only where somebody may give some back', () => {
    const seek = { type: 'Seek', reservationId: 'u1', resource: 'bytes' } as const;
    const sought: QuotaEvent = {
      type: 'QuotaSought',
      data: { reservationId: 'u1', resource: 'bytes' },
    };
    given(open).when(seek).records();
    given(open, reserved({ ...upload, reservationId: 'u2', growing: false }))
      .when(seek)
      .records();
    given(open, reserved({ ...upload, reservationId: 'u2' }))
      .when(seek)
      .records(sought);
    const exact = [open, sought, reserved({ ...upload, reservationId: 'u2' })];
    given(...exact)
      .when(seek)
      .records();
  });

  test('a reservation that is over cannot grow', () => {
    given().when(extend(1, 0)).refused('upload-ended');
  });

  test('what was not needed is given back', () => {
    given(open)
      .when({ type: 'Return', reservationId: 'u1', resource: 'bytes', to: 4 })
      .records({ type: 'QuotaReturned', data: { reservationId: 'u1', resource: 'bytes', to: 4 } });
    given(reserved({ ...upload, growing: false }))
      .when({ type: 'Return', reservationId: 'u1', resource: 'bytes', to: 10 })
      .records();
  });

  test('who is asked answers even when it has nothing to give, and takes nothing in advance any more', () => {
    const other = reserved({ ...upload, reservationId: 'u2' });
    const sought: QuotaEvent = {
      type: 'QuotaSought',
      data: { reservationId: 'u2', resource: 'bytes' },
    };
    const answer: QuotaEvent = {
      type: 'QuotaReturned',
      data: { reservationId: 'u1', resource: 'bytes', to: 10 },
    };
    const before = [open, other, sought].reduce(quota.evolve, noneOpen);
    assert.equal(othersMayReturn(before, 'u2'), true);
    given(open, other, sought)
      .when({ type: 'Return', reservationId: 'u1', resource: 'bytes', to: 10 })
      .records(answer);
    assert.equal(othersMayReturn(quota.evolve(before, answer), 'u2'), false);
    given(open, other, sought, answer).when(extend(5, 1000)).records(extended(5));
    const gone: QuotaEvent = {
      type: 'QuotaReleased',
      data: { reservationId: 'u2', reason: 'x', position: '0' },
    };
    const answeredToo = [open, other, sought, answer, gone];
    given(...answeredToo)
      .when(extend(5, 1000))
      .records(extended(5));
  });
});

describe('settling', () => {
  const open = reserved(upload);

  test('each resource by itself; the last one ends the reservation', () => {
    const first: QuotaEvent = {
      type: 'QuotaCommitted',
      data: { reservationId: 'u1', resources: ['uploads'], position: '7' },
    };
    const commit = { type: 'Commit', reservationId: 'u1' } as const;
    given(open)
      .when({ ...commit, resources: ['uploads'], position: 7n })
      .records(first);
    given(open, first)
      .when({ ...commit, resources: ['uploads'], position: 8n })
      .records();
    const half = [open, first].reduce(quota.evolve, noneOpen);
    assert.deepEqual(half.open.get('u1')?.amounts, { bytes: 10 });
    const all = quota.evolve(half, {
      type: 'QuotaCommitted',
      data: { reservationId: 'u1', resources: ['bytes'], position: '5' },
    });
    assert.equal(all.open.size, 0);
    assert.equal(all.horizon, 7n);
  });

  test('a release ends it, once', () => {
    const released: QuotaEvent = {
      type: 'QuotaReleased',
      data: { reservationId: 'u1', reason: 'refused', position: '3' },
    };
    const release = {
      type: 'Release',
      reservationId: 'u1',
      reason: 'refused',
      position: 3n,
    } as const;
    given(open).when(release).records(released);
    given(open, released).when(release).records();
  });
});

describe('doubts before a refusal', () => {
  const ledger = [reserved({ ...creation, reservationId: 'r2' })].reduce(quota.evolve, noneOpen);

  test('none when it fits, and none when it can never fit', () => {
    assert.deepEqual(doubtsOf(reserve(creation), ledger, grounds), []);
    assert.deepEqual(doubtsOf(reserve(creation), ledger, using({ images: 3 })), []);
  });

  test('the open reservations that may be counted twice', () => {
    const doubts = doubtsOf(reserve(creation), ledger, using({ images: 2 }));
    assert.deepEqual(
      doubts.map(({ reservation, resource }) => [reservation.reservationId, resource]),
      [['r2', 'images']],
    );
    assert.deepEqual(doubtsOf(reserve(creation), ledger, using({ images: 2 }, ['r2/images'])), []);
  });
});

describe('what became of an act', () => {
  let position = 0n;
  const happened = (type: string, data: object = {}, causationId = 'other'): RecordedEvent => {
    position += 1n;
    return { type, data, position, metadata: { causationId } } as unknown as RecordedEvent;
  };
  const ofUpload = { uploadId: 'u1' };

  test('a command is made by its own event', () => {
    assert.deepEqual(outcomeOf(creation, 'images', []), { kind: 'unbegun' });
    const created = happened('ImageCreated', {}, 'r1');
    const deleted = happened('ImageDeleted');
    const made = { kind: 'made', position: created.position };
    assert.deepEqual(outcomeOf(creation, 'images', [created, deleted]), made);
    const others = [happened('ImageCreated', {}, 'another')];
    assert.deepEqual(outcomeOf(creation, 'images', others), { kind: 'unbegun' });
  });

  test('an abandoned one is over', () => {
    const abandoned = happened('ReservationAbandoned', { reservationId: 'r1' });
    assert.equal(outcomeOf(creation, 'images', [abandoned]).kind, 'over');
    assert.equal(outcomeOf(upload, 'bytes', [abandoned]).kind, 'unbegun');
    const late = [
      happened('UploadStarted', ofUpload),
      happened('ReservationAbandoned', { reservationId: 'u1' }),
    ];
    assert.equal(outcomeOf(upload, 'bytes', late).kind, 'begun', 'too late to be abandoned');
  });

  test('an upload takes its slot when it starts, and its bytes when the image is active', () => {
    const started = happened('UploadStarted', ofUpload);
    const active = happened('ImageActivated', ofUpload);
    assert.deepEqual(outcomeOf(upload, 'uploads', [started]), {
      kind: 'made',
      position: started.position,
    });
    assert.equal(outcomeOf(upload, 'bytes', [started]).kind, 'begun');
    assert.deepEqual(outcomeOf(upload, 'bytes', [started, active]), {
      kind: 'made',
      position: active.position,
    });
    const earlier = [
      happened('UploadStarted', { uploadId: 'u0' }),
      happened('ImageActivated', { uploadId: 'u0' }),
    ];
    assert.equal(outcomeOf(upload, 'bytes', earlier).kind, 'unbegun');
  });

  for (const type of ['UploadAborted', 'IngestFailed', 'ImageDeleted'])
    test(`an upload is over with ${type}`, () => {
      const events = [happened('UploadStarted', ofUpload), happened(type, ofUpload)];
      assert.equal(outcomeOf(upload, 'bytes', events).kind, 'over');
    });

  test('an import of what is staged has not begun with the staging', () => {
    const importing = { ...upload, reservationId: 'r9', act: 'import' } as const;
    const staged = [happened('UploadStarted', ofUpload), happened('UploadStaged', ofUpload)];
    assert.equal(outcomeOf(importing, 'bytes', staged).kind, 'unbegun');
    const requested = [...staged, happened('ImportRequested', ofUpload)];
    assert.equal(outcomeOf(importing, 'bytes', requested).kind, 'begun');
    assert.equal(outcomeOf(upload, 'staged', staged).kind, 'made');
  });
});

test('only what has a limit is reserved', () => {
  const limits = { bytes: 0, uploads: 1, staged: 9 };
  assert.deepEqual(limited({ images: 1, bytes: 5, uploads: 0 }, limits), { bytes: 5, uploads: 0 });
});

test('bytes are told in whole MiB that are full, counts as they are', () => {
  assert.equal(inWireUnit('bytes', 2 * 1024 ** 2 - 1), 1);
  assert.equal(inWireUnit('staged', 2 * 1024 ** 2), 2);
  assert.equal(inWireUnit('images', 7), 7);
});
