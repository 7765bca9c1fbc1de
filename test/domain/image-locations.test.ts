import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../domain/image/attributes.ts';
import type { NewLocation, PatchOperation } from '../../domain/image/commands.ts';
import type { Digests, ImageEvent, ImportMethod, Validation } from '../../domain/image/events.ts';
import { image, imageDecider } from '../../domain/image/image.ts';
import { specOf } from '../support/spec.ts';
import {
  activated,
  admin,
  asks,
  created,
  createdAs,
  deactivated,
  defaultAccess,
  location,
  member,
  reader,
  stateAfter,
} from './fixtures.ts';

const given = specOf(image);
const md5 = 'a'.repeat(32);
const sha512 = 'b'.repeat(128);
const url = 'https://images.example/one';
const validation: Validation = { algorithm: 'sha512', value: sha512, checksum: md5 };

const place = (id: string, more: Partial<NewLocation> = {}): NewLocation => ({
  locationId: id,
  store: 'web',
  url,
  metadata: {},
  size: 512,
  validation: null,
  ...more,
});
const adds = (location: NewLocation, at: number | null = null): PatchOperation => ({
  kind: 'add-location',
  at,
  location,
});
const removes = (at: number | null): PatchOperation => ({ kind: 'remove-location', at });
const patch = (operations: readonly PatchOperation[], by = member) =>
  ({ type: 'UpdateImage', caller: by, operations }) as const;

const added = (
  id: string,
  more: Partial<(ImageEvent & { type: 'LocationAdded' })['data']> = {},
): ImageEvent => ({
  type: 'LocationAdded',
  data: {
    locationId: id,
    store: 'web',
    url,
    metadata: {},
    size: 512,
    digests: {},
    algorithm: null,
    ...more,
  },
});
const known: Digests = { md5: 'aa', sha512: 'bb' };
const ownKey = 'image/first/1';
const locationsAfter = (...events: readonly ImageEvent[]) => {
  const state = stateAfter(...events);
  return 'content' in state ? state.content.locations.map(({ id }) => id) : [];
};

describe('a patch that adds a location', () => {
  test('makes a queued image active', () => {
    given(created)
      .when(patch([adds(place('one'))]))
      .records(added('one'));
    const state = stateAfter(created, added('one'));
    assert.ok(state.status === 'active' && state.content.size === 512);
  });

  test('takes digests of a queued image on trust', () => {
    given(created)
      .when(patch([adds(place('one', { validation }))]))
      .records(added('one', { digests: { md5, sha512 }, algorithm: 'sha512' }));
  });

  test('is decided with the formats of the same patch', () => {
    const bare = createdAs({ diskFormat: null });
    given(bare)
      .when(patch([adds(place('one'))]))
      .refused('formats-missing');
    given(bare)
      .when(patch([{ kind: 'set', field: 'diskFormat', value: 'raw' }, adds(place('one'))]))
      .records(
        {
          type: 'ImageUpdated',
          data: { changes: [{ field: 'diskFormat', from: null, to: 'raw' }], properties: [] },
        },
        added('one'),
      );
  });

  test('gives an active image another place, where it is told', () => {
    const facts = { digests: known, algorithm: 'sha512' };
    given(...activated)
      .when(patch([adds(place('one'))]))
      .records(added('one', facts));
    given(...activated)
      .when(patch([adds(place('one'), 0)]))
      .records(added('one', { ...facts, at: 0 }));
    assert.deepEqual(locationsAfter(...activated, added('one')), [ownKey, 'one']);
    assert.deepEqual(locationsAfter(...activated, added('one', { at: 0 })), ['one', ownKey]);
    given(...activated)
      .when(patch([adds(place('one'), 2)]))
      .refused('location-unknown');
  });

  test('is refused of other bytes than the image has', () => {
    given(...activated)
      .when(patch([adds(place('one', { size: 513 }))]))
      .refused('locations-differ', /513 .*512/);
  });

  test('is refused twice, but for other metadata', () => {
    given(created)
      .when(patch([adds(place('one')), adds(place('two'))]))
      .refused('location-exists');
    given(created)
      .when(patch([adds(place('one')), adds(place('two', { metadata: { a: [1, 2] } }))]))
      .records(added('one'), added('two', { metadata: { a: [1, 2] } }));
  });

  test('is refused beyond the quota, which may be none', () => {
    const places = Array.from({ length: 11 }, (_, n) => adds(place(`${n}`, { url: `${url}${n}` })));
    given(created)
      .when(patch(places))
      .refused('limit-exceeded', /Attempted: 11, Maximum: 10/);
    const unlimited = imageDecider({ ...defaultLimits, locations: -1 }, defaultAccess);
    assert.equal(unlimited.decide(patch(places), stateAfter(created)).length, 11);
  });

  test('is refused to a reader, and in any state but queued and active', () => {
    given(created)
      .when(patch([adds(place('one'))], reader))
      .refused('not-allowed');
    given(...activated, deactivated)
      .when(patch([adds(place('one'))]))
      .refused('wrong-status');
  });

  test('is refused while another location is being looked at', () => {
    const asked: ImageEvent = {
      type: 'ImportRequested',
      data: { uploadId: 'second', method: location, stores: ['web'], allStoresMustSucceed: true },
    };
    given(created, asked)
      .when(patch([adds(place('one'))]))
      .refused('operation-in-progress');
  });

  const conflicts: Readonly<Record<string, Validation>> = {
    'of another algorithm': { ...validation, algorithm: 'sha256', value: 'c'.repeat(64) },
    'that is no hex': { ...validation, value: 'z'.repeat(128) },
    'that is too short': { ...validation, value: 'b' },
    'with a checksum that is none': { ...validation, checksum: 'a' },
  };
  for (const [what, wrong] of Object.entries(conflicts))
    test(`is refused with a digest ${what}`, () => {
      given(created)
        .when(patch([adds(place('one', { validation: wrong }))]))
        .refused('validation-conflict');
    });

  test('can only repeat what is known of an image that is active', () => {
    const first = added('one', { digests: { md5, sha512 }, algorithm: 'sha512' });
    const again = (more: Partial<Validation>) =>
      patch([adds(place('two', { url: `${url}/2`, validation: { ...validation, ...more } }))]);
    given(created, first)
      .when(again({}))
      .records(added('two', { url: `${url}/2`, digests: { md5, sha512 }, algorithm: 'sha512' }));
    given(created, first)
      .when(again({ value: 'c'.repeat(128) }))
      .refused('validation-conflict');
    given(created, first)
      .when(again({ checksum: 'c'.repeat(32) }))
      .refused('validation-conflict');
    given(created, added('one'))
      .when(again({}))
      .refused('validation-conflict', /any more/);
  });
});

describe('a patch that replaces the locations', () => {
  const kept = (id: string, metadata: Record<string, string>, store = 'web') => ({
    knownId: id,
    store,
    metadata,
    validation: null,
  });
  const replaces = (...locations: (NewLocation | ReturnType<typeof kept>)[]) =>
    patch([{ kind: 'replace-locations', locations }]);
  const two = [created, added('one'), added('two', { url: `${url}/2` })];

  test('of an image without any adds them all', () => {
    given(created)
      .when(replaces(place('one'), place('two', { url: `${url}/2` })))
      .records(added('one'), added('two', { url: `${url}/2` }));
  });

  test('changes metadata alone', () => {
    given(...two)
      .when(replaces(kept('two', { zone: 'n' }), kept('one', {})))
      .records({
        type: 'LocationMetadataChanged',
        data: { locationId: 'two', store: 'web', from: {}, to: { zone: 'n' } },
      });
    given(...two)
      .when(replaces(kept('one', {}), kept('two', {})))
      .records();
  });

  test('is refused with another set of them, or none', () => {
    given(...two)
      .when(replaces(kept('one', {})))
      .refused('locations-differ');
    given(...two)
      .when(replaces(kept('one', {}), kept('one', {})))
      .refused('locations-differ');
    given(...two)
      .when(replaces(kept('one', {}), place('x')))
      .refused('locations-differ');
    given(...two)
      .when(replaces(kept('one', {}), kept('two', {}), place('x')))
      .refused('locations-differ');
    given(...two)
      .when(replaces())
      .refused('last-location');
    given(created).when(replaces()).refused('last-location');
    given(created)
      .when(replaces(kept('gone', {})))
      .refused('locations-differ');
  });

  test('tells copies of ours apart by their stores', () => {
    const copy = (store: string): ImageEvent => ({
      type: 'ImageDataStored',
      data: { uploadId: 'first', epoch: 1, store, key: ownKey, size: 512 },
    });
    const upload = activated.slice(0, 4);
    const rest = activated.slice(5);
    given(...upload, copy('file'), copy('fast'), ...rest)
      .when(replaces(kept(ownKey, {}, 'file'), kept(ownKey, { a: 'b' }, 'fast')))
      .records({
        type: 'LocationMetadataChanged',
        data: { locationId: ownKey, store: 'fast', from: {}, to: { a: 'b' } },
      });
  });
});

describe('a patch that removes a location', () => {
  const two = [...activated, added('one')];

  test('is for administrators, and leaves one', () => {
    given(...two)
      .when(patch([removes(0)]))
      .refused('not-allowed');
    given(...two)
      .when(patch([removes(0)], admin))
      .records({ type: 'LocationRemoved', data: { locationId: ownKey, store: 'file' } });
    given(...two)
      .when(patch([removes(null)], admin))
      .records({ type: 'LocationRemoved', data: { locationId: 'one', store: 'web' } });
    given(...activated)
      .when(patch([removes(0)], admin))
      .refused('last-location');
    given(...two)
      .when(patch([removes(0), removes(0)], admin))
      .refused('last-location');
  });

  test('is refused at no place, and of an image that is not active', () => {
    given(...two)
      .when(patch([removes(2)], admin))
      .refused('location-unknown');
    given(...two, deactivated)
      .when(patch([removes(0)], admin))
      .refused('wrong-status');
    given(created)
      .when(patch([removes(0)], admin))
      .refused('wrong-status');
  });
});

describe('a location that is asked for', () => {
  const request = (method: ImportMethod) => ({ ...asks(member).RequestLocation, method });
  const requested = (method: ImportMethod): ImageEvent => ({
    type: 'ImportRequested',
    data: { uploadId: 'second', method, stores: ['file'], allStoresMustSucceed: true },
  });
  const checked = { ...location, validation } as ImportMethod;
  const claim: ImageEvent = {
    type: 'IngestClaimed',
    data: { uploadId: 'second', epoch: 1, supersedes: 0, owner: 'worker' },
  };
  const seen = (digests: Digests, digestsFollow: boolean) =>
    ({
      type: 'CompleteLocation',
      ...{ uploadId: 'second', epoch: 1, size: 512, digests, algorithm: 'sha512', digestsFollow },
    }) as const;
  const found = (digests: Digests): ImageEvent => ({
    type: 'LocationAdded',
    data: {
      ...{ locationId: 'location-1', store: 'web', url: 'https://images.example/one.qcow2' },
      ...{ metadata: {}, size: 512, digests },
      algorithm: Object.keys(digests).length === 0 ? null : 'sha512',
    },
  });
  const active: ImageEvent = { type: 'ImageActivated', data: { uploadId: 'second' } };
  const over: ImageEvent = { type: 'ImportCompleted', data: { uploadId: 'second' } };

  test('needs a queued image with its formats', () => {
    given(created).when(request(location)).records(requested(location));
    given(createdAs({ containerFormat: null }))
      .when(request(location))
      .refused('formats-missing-for-import');
    given(...activated)
      .when(request(location))
      .refused('wrong-status');
  });

  test('leaves the image queued until it was seen, or importing until it is checked', () => {
    assert.equal(stateAfter(created, requested(location)).status, 'queued');
    assert.equal(stateAfter(created, requested(checked)).status, 'importing');
  });

  test('is active before its digests are known', () => {
    const claimed = [created, requested(location), claim];
    given(...claimed)
      .when(seen({}, true))
      .records(found({}), active);
    const after = stateAfter(...claimed, found({}), active);
    assert.ok(after.status === 'active' && after.upload !== null);
    given(...claimed, found({}), active)
      .when({
        type: 'RecordDigests',
        ...{ uploadId: 'second', epoch: 1 },
        digests: known,
        algorithm: 'sha512',
      })
      .records(
        {
          type: 'ImageDigested',
          data: { uploadId: 'second', digests: known, algorithm: 'sha512' },
        },
        over,
      );
  });

  test('is over at once where no digests follow', () => {
    given(created, requested(location), claim)
      .when(seen({}, false))
      .records(found({}), active, over);
    given(created, requested(checked), claim)
      .when(seen(known, false))
      .records(found(known), active, over);
  });

  test('that cannot be hashed stays active without digests', () => {
    const failed: ImageEvent = {
      type: 'IngestFailed',
      data: { uploadId: 'second', epoch: 1, reason: 'location-unusable', message: 'gone' },
    };
    const state = stateAfter(created, requested(location), claim, found({}), active, failed);
    assert.ok(state.status === 'active' && state.upload === null);
    assert.deepEqual(state.content.digests, {});
  });
});

describe('a copy that is removed from a store', () => {
  test('needs both rules of locations', () => {
    const access = {
      ...defaultAccess,
      authorize: (...[rule, target, caller]: Parameters<typeof defaultAccess.authorize>) => {
        if (rule === 'get_image_location')
          defaultAccess.authorize('publicize_image', target, reader);
        defaultAccess.authorize(rule, target, caller);
      },
    };
    specOf(imageDecider(defaultLimits, access))(...activated, added('one'))
      .when({ type: 'RemoveCopy', caller: admin, store: 'web' })
      .refused('not-allowed');
    given(...activated, added('one'))
      .when({ type: 'RemoveCopy', caller: admin, store: 'web' })
      .records({ type: 'LocationRemoved', data: { locationId: 'one', store: 'web' } });
  });

  test('is none where it is the only one, whichever store is named', () => {
    given(...activated)
      .when({ type: 'RemoveCopy', caller: admin, store: 'file' })
      .refused('last-location');
    given(...activated)
      .when({ type: 'RemoveCopy', caller: admin, store: 'web' })
      .refused('last-location');
    given(...activated, added('one'))
      .when({ type: 'RemoveCopy', caller: admin, store: 'fast' })
      .refused('copy-unknown');
  });

  test('is kept where every other copy lies in a store that the site cannot read', () => {
    const remove = { type: 'RemoveCopy', caller: admin, store: 'file' } as const;
    given(...activated, added('one'))
      .when({ ...remove, readable: ['file'] })
      .refused('last-location');
    given(...activated, added('one'))
      .when({ ...remove, readable: ['file', 'web'] })
      .records({
        type: 'LocationRemoved',
        data: { locationId: 'image/first/1', store: 'file' },
      });
  });
});
