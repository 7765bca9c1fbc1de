import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImageEvent, ImportMethod } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import { maxDeadClaims, uploadOf } from '../../domain/image/state.ts';
import { specOf } from '../support/spec.ts';
import {
  activated,
  admin,
  asks,
  claimed,
  created,
  createdAs,
  deactivated,
  histories,
  member,
  reader,
  released,
  result,
  stateAfter,
  stranger,
} from './fixtures.ts';

const given = specOf(image);
const uploadId = 'first';
const web: ImportMethod = {
  name: 'web-download',
  uri: 'https://images.example/one.qcow2',
  expected: { digests: { sha256: 'cc' }, size: null, sums: null },
};
const remote: ImportMethod = {
  name: 'glance-download',
  region: 'two',
  imageId: 'there',
  interface: 'public',
  endpoint: 'https://two.example/image',
};
const source = { etag: '"1"', lastModified: null, verified: ['sha256'] };

const asked = (method: ImportMethod, stores: readonly string[] = ['file'], must = true) => ({
  uploadId,
  method,
  stores,
  allStoresMustSucceed: must,
});
const request = (...given: Parameters<typeof asked>): ImageCommand => ({
  type: 'RequestImport',
  caller: member,
  ...asked(...given),
});
const requested = (...given: Parameters<typeof asked>): ImageEvent => ({
  type: 'ImportRequested',
  data: asked(...given),
});
const advanced = (epoch: number, bytes: number): ImageEvent => ({
  type: 'ImportAdvanced',
  data: { uploadId, epoch, bytes },
});
const fetched: ImageEvent = {
  type: 'ImportFetched',
  data: { uploadId, epoch: 1, size: 512, source },
};
const fetch = (epoch: number): ImageCommand => ({
  type: 'CompleteFetch',
  uploadId,
  epoch,
  size: 512,
  source,
});
const advance = (epoch: number, bytes: number): ImageCommand => ({
  type: 'RecordAdvance',
  uploadId,
  epoch,
  bytes,
});
const claim = (supersedes: number): ImageCommand => ({
  type: 'ClaimIngest',
  uploadId,
  supersedes,
  owner: `worker-${supersedes + 1}`,
});
const fail = (epoch: number): ImageCommand => ({
  type: 'FailIngest',
  uploadId,
  epoch,
  reason: 'store-full',
  message: 'no room',
});
const failed = (epoch: number): ImageEvent => ({
  type: 'IngestFailed',
  data: { uploadId, epoch, reason: 'store-full', message: 'no room' },
});
const deaths = (count: number) => Array.from({ length: count }, (_, index) => claimed(index + 1));
const found = (...stores: readonly string[]) => ({
  ...result,
  stored: stores.map((store) => ({ store, key: `image/${uploadId}/1` })),
});
const stored = (store: string, epoch = 1): ImageEvent => ({
  type: 'ImageDataStored',
  data: { uploadId, epoch, store, key: `image/${uploadId}/1`, size: 512 },
});
const known: readonly ImageEvent[] = [
  { type: 'ImageDigested', data: { uploadId, digests: result.digests, algorithm: 'sha512' } },
  {
    type: 'DiskFormatInspected',
    data: { uploadId, declared: 'qcow2', detected: 'qcow2', virtualSize: 4096 },
  },
];
const active: ImageEvent = { type: 'ImageActivated', data: { uploadId } };
const over: ImageEvent = { type: 'ImportCompleted', data: { uploadId } };
const ended = (type: 'CompleteIngest' | 'RecordCopies', epoch: number, ...stores: string[]) =>
  ({ type, uploadId, epoch, result: found(...stores) }) as const;
const storeFailed = (store: string): ImageEvent => ({
  type: 'ImportStoreFailed',
  data: { uploadId, epoch: 1, store, reason: 'store-full', message: 'no room' },
});
const failStore = (store: string): ImageCommand => ({
  type: 'RecordStoreFailure',
  uploadId,
  epoch: 1,
  store,
  reason: 'store-full',
  message: 'no room',
});

const downloading = [created, requested(web), claimed(1)];

describe('a download', () => {
  test('begins on a queued image that has formats', () => {
    given(created).when(request(web)).records(requested(web));
    assert.equal(stateAfter(created, requested(web)).status, 'importing');
    for (const history of [histories.saving, activated])
      given(...history)
        .when(request(web))
        .refused('wrong-status');
    given(createdAs({ diskFormat: null }))
      .when(request(web))
      .refused('formats-missing-for-import');
    given(created, requested(web))
      .when({ ...request(web), uploadId: 'second' } as ImageCommand)
      .refused('operation-in-progress');
  });

  test('of another image service needs no formats: they come from there', () => {
    const bare = createdAs({ diskFormat: null, containerFormat: null });
    given(bare).when(request(remote)).records(requested(remote));
    given(bare, requested(remote), claimed(1))
      .when({
        type: 'DescribeImport',
        uploadId,
        epoch: 1,
        diskFormat: 'raw',
        containerFormat: 'bare',
        properties: { hw_disk_bus: 'scsi', os_distro: 'cirros' },
      })
      .records({
        type: 'ImageUpdated',
        data: {
          changes: [
            { field: 'diskFormat', from: null, to: 'raw' },
            { field: 'containerFormat', from: null, to: 'bare' },
          ],
          properties: [{ property: 'hw_disk_bus', from: null, to: 'scsi' }],
        },
      });
  });

  test('brings no more properties than an image may have', () => {
    const properties = Object.fromEntries(Array.from({ length: 128 }, (_, n) => [`hw_${n}`, 'x']));
    const formats = { diskFormat: null, containerFormat: null };
    given(created, requested(remote), claimed(1))
      .when({ type: 'DescribeImport', uploadId, epoch: 1, ...formats, properties })
      .refused('limit-exceeded');
  });

  test('is claimed before there are bytes, and is an upload like any other once they are there', () => {
    given(created, requested(web)).when(claim(0)).records(claimed(1));
    given(...downloading)
      .when(ended('CompleteIngest', 1, 'file'))
      .refused('upload-ended');
    given(...downloading)
      .when(fetch(1))
      .records(fetched);
    given(...downloading, fetched)
      .when(ended('CompleteIngest', 1, 'file'))
      .records(stored('file'), ...known, active, over);
  });

  test('is fetched once: a repeat changes nothing, and a zombie is refused', () => {
    given(...downloading, fetched)
      .when(fetch(1))
      .records();
    given(...downloading, claimed(2))
      .when(fetch(1))
      .refused('claim-superseded');
    given(created, histories.saving[1], claimed(1)).when(fetch(1)).refused('upload-ended');
  });

  test('tells how far it is where it got further than all claims before', () => {
    given(...downloading)
      .when(advance(1, 100))
      .records(advanced(1, 100));
    given(...downloading, advanced(1, 100), claimed(2))
      .when(advance(2, 100))
      .records();
    given(...downloading, fetched)
      .when(advance(1, 600))
      .refused('upload-ended');
  });

  test('is given up when it kills its workers', () => {
    given(created, requested(web), ...deaths(maxDeadClaims))
      .when(claim(maxDeadClaims))
      .records({
        type: 'IngestFailed',
        data: {
          uploadId,
          epoch: maxDeadClaims + 1,
          reason: 'workers-died',
          message: `${maxDeadClaims} workers died while they worked on this upload; it was given up`,
        },
      });
  });

  test('is not given up while its workers get on before they die', () => {
    const history: ImageEvent[] = [created, requested(web)];
    for (let epoch = 1; epoch <= 3 * maxDeadClaims; epoch++)
      history.push(claimed(epoch), advanced(epoch, epoch * 100));
    given(...history)
      .when(claim(3 * maxDeadClaims))
      .records(claimed(3 * maxDeadClaims + 1));
    assert.equal(uploadOf(stateAfter(...history, claimed(16)))?.deadClaims, 0);
  });

  test('begins to count anew after a worker that got on', () => {
    const before = [created, requested(web), ...deaths(3), claimed(4), advanced(4, 100)];
    const history = [...before, ...[5, 6, 7, 8, 9].map(claimed)];
    assert.equal(uploadOf(stateAfter(...history))?.deadClaims, maxDeadClaims - 1);
    given(...history, released(9))
      .when(claim(9))
      .records(claimed(10));
  });

  test('that failed leaves the image queued', () => {
    given(...downloading)
      .when(fail(1))
      .records(failed(1));
    const state = stateAfter(...downloading, failed(1));
    assert.deepEqual([state.status, uploadOf(state)], ['queued', null]);
  });
});

describe('an import to several stores', () => {
  const importing = (must: boolean) => [
    created,
    requested(web, ['a', 'b', 'c'], must),
    claimed(1),
    fetched,
  ];

  test('that needs all is active with the last', () => {
    const one = importing(true);
    given(...one)
      .when(ended('RecordCopies', 1, 'a'))
      .records(stored('a'), ...known);
    const two = [...one, stored('a'), ...known];
    assert.equal(stateAfter(...two).status, 'importing');
    given(...two)
      .when(ended('RecordCopies', 1, 'a', 'b'))
      .records(stored('b'));
    const three = [...two, stored('b')];
    given(...three)
      .when(ended('CompleteIngest', 1, 'c'))
      .records(stored('c'), active, over);
    const state = stateAfter(...three, stored('c'), active, over);
    assert.deepEqual('content' in state && state.content.locations.map(({ store }) => store), [
      'a',
      'b',
      'c',
    ]);
  });

  test('that needs one is active with the first, and goes on', () => {
    const one = importing(false);
    given(...one)
      .when(failStore('a'))
      .records(storeFailed('a'));
    const two = [...one, storeFailed('a')];
    given(...two)
      .when(ended('RecordCopies', 1, 'b'))
      .records(stored('b'), ...known, active);
    const three = [...two, stored('b'), ...known, active];
    const state = stateAfter(...three);
    assert.deepEqual([state.status, uploadOf(state)?.stores], ['active', ['b', 'c']]);
    given(...three)
      .when(ended('CompleteIngest', 1, 'c'))
      .records(stored('c'), over);
    given(...three, storeFailed('c'))
      .when(ended('CompleteIngest', 1))
      .records(over);
    given(...three)
      .when(fail(1))
      .records(failed(1));
    assert.equal(stateAfter(...three, failed(1)).status, 'active');
  });

  test('is not over before a store has the bytes', () => {
    given(...importing(false))
      .when(ended('CompleteIngest', 1))
      .refused('upload-ended');
  });

  test('keeps what a worker that died had stored', () => {
    const history = [...importing(true), stored('a'), ...known, claimed(2)];
    assert.deepEqual(
      uploadOf(stateAfter(...history))?.content.locations.map(({ store }) => store),
      ['a'],
    );
    given(...history)
      .when(ended('CompleteIngest', 2, 'b', 'c'))
      .records(stored('b', 2), stored('c', 2), active, over);
  });

  test('takes no other bytes than the first store has', () => {
    given(...importing(true), stored('a'), ...known)
      .when({
        type: 'RecordCopies',
        uploadId,
        epoch: 1,
        result: { ...found('b'), digests: { md5: 'other', sha512: 'bb' } },
      })
      .refused('validation-conflict');
  });

  test('tells the failure of a store once, and none of a store that has the bytes', () => {
    given(...importing(false), storeFailed('a'))
      .when(failStore('a'))
      .records();
    given(...importing(true), stored('a'), ...known)
      .when(failStore('a'))
      .records();
  });
});

describe('copies of an image', () => {
  const method: ImportMethod = { name: 'copy-image' };
  const copy = (missingOnly: boolean, ...stores: string[]): ImageCommand => ({
    type: 'RequestCopies',
    caller: admin,
    missingOnly,
    ...asked(method, stores),
    uploadId: 'second',
  });
  const copies = (...stores: string[]): ImageEvent => ({
    type: 'ImportRequested',
    data: { ...asked(method, stores), uploadId: 'second' },
  });
  const of = <Event extends ImageEvent>(event: Event): ImageEvent =>
    ({ ...event, data: { ...event.data, uploadId: 'second' } }) as ImageEvent;
  const key = 'image/second/1';
  const copied = (store: string): ImageEvent => ({
    type: 'ImageDataStored',
    data: { uploadId: 'second', epoch: 1, store, key, size: 512 },
  });
  const complete = (type: 'CompleteIngest' | 'RecordCopies', store: string) =>
    ({
      type,
      uploadId: 'second',
      epoch: 1,
      result: { ...result, stored: [{ store, key }] },
    }) as const;
  const failure = { ...fail(1), uploadId: 'second' } as ImageCommand;
  const copying = [...activated, copies('b', 'c'), of(claimed(1))];
  const placesAfter = (...events: readonly ImageEvent[]) => {
    const state = stateAfter(...events);
    return 'content' in state ? state.content.locations.map(({ store }) => store) : [];
  };

  test('are made of an active image, by who may', () => {
    given(...activated)
      .when(copy(false, 'b'))
      .records(copies('b'));
    for (const history of [histories.queued, histories.saving, [...activated, deactivated]])
      given(...history)
        .when(copy(false, 'b'))
        .refused('wrong-status');
    given(...activated)
      .when(asks(member).RequestCopies)
      .refused('not-allowed');
    given(...activated)
      .when(asks(reader).RequestCopies)
      .refused('not-allowed');
    given(...activated)
      .when(asks(stranger).RequestCopies)
      .refused('image-unknown');
  });

  test('are for stores that have none, or for those among them', () => {
    given(...activated)
      .when(copy(false, 'b', 'file'))
      .refused('copy-exists', /'file'/);
    given(...activated)
      .when(copy(true, 'b', 'file'))
      .records(copies('b'));
    given(...activated)
      .when(copy(true, 'file'))
      .records();
  });

  test('leave the image active all the while, and are there one by one', () => {
    assert.equal(stateAfter(...copying).status, 'active');
    given(...copying)
      .when(complete('RecordCopies', 'b'))
      .records(copied('b'));
    assert.deepEqual(placesAfter(...copying, copied('b')), ['file', 'b']);
    given(...copying, copied('b'))
      .when(complete('CompleteIngest', 'c'))
      .records(copied('c'), of(over));
    const end = [...copying, copied('b'), copied('c'), of(over)];
    assert.deepEqual(placesAfter(...end), ['file', 'b', 'c']);
    assert.equal(uploadOf(stateAfter(...end)), null);
  });

  test('are taken back together when one fails, where all must succeed', () => {
    given(...copying, copied('b'))
      .when(failure)
      .records({ type: 'LocationRemoved', data: { locationId: key, store: 'b' } }, of(failed(1)));
    const removed: ImageEvent = { type: 'LocationRemoved', data: { locationId: key, store: 'b' } };
    const state = stateAfter(...copying, copied('b'), removed, of(failed(1)));
    assert.deepEqual(
      [state.status, uploadOf(state), placesAfter(...copying, copied('b'), removed)],
      ['active', null, ['file']],
    );
  });

  test('stay where they are when they are all that is left of the image', () => {
    const gone: ImageEvent = {
      type: 'LocationRemoved',
      data: { locationId: 'image/first/1', store: 'file' },
    };
    given(...copying, copied('b'), gone)
      .when(failure)
      .records(of(failed(1)));
  });
});
