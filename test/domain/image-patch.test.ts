import { describe, test } from 'node:test';
import { defaultLimits, type Visibility } from '../../domain/image/attributes.ts';
import type { ImageCommand, PatchOperation } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image, imageDecider } from '../../domain/image/image.ts';
import { specOf } from '../support/spec.ts';
import {
  activated,
  admin,
  attributes,
  created,
  createdAs,
  defaultAccess,
  histories,
  member,
} from './fixtures.ts';

const given = specOf(image);
const patch = (...operations: readonly PatchOperation[]): ImageCommand => ({
  type: 'UpdateImage',
  caller: member,
  operations,
});
const byAdmin = (...operations: readonly PatchOperation[]): ImageCommand => ({
  type: 'UpdateImage',
  caller: admin,
  operations,
});
const set = (
  field: (PatchOperation & { kind: 'set' })['field'],
  value: (PatchOperation & { kind: 'set' })['value'],
): PatchOperation => ({ kind: 'set', field, value });
const add = (property: string, value: string): PatchOperation => ({
  kind: 'add-property',
  property,
  value,
  overwrite: true,
});
const replace = (property: string, value: string): PatchOperation => ({
  kind: 'replace-property',
  property,
  value,
});
const remove = (property: string): PatchOperation => ({ kind: 'remove-property', property });
const propertyChanged = (property: string, from: string | null, to: string | null): ImageEvent => ({
  type: 'ImageUpdated',
  data: { changes: [], properties: [{ property, from, to }] },
});

describe('a patch', () => {
  test('without operations changes nothing', () => {
    given(created).when(patch()).records();
  });

  test('that sets what is already there changes nothing', () => {
    given(created)
      .when(
        patch(
          set('name', 'cirros'),
          set('minDisk', 0),
          set('tags', ['linux']),
          set('protected', false),
          set('visibility', 'shared'),
          replace('os_distro', 'cirros'),
        ),
      )
      .records();
  });

  test('records each kind of change as its own fact, old and new', () => {
    given(created)
      .when(
        patch(
          set('name', 'debian'),
          set('minRam', 64),
          set('hidden', true),
          replace('os_distro', 'debian'),
          add('arch', 'x86_64'),
          set('visibility', 'private'),
          set('protected', true),
          set('tags', ['debian', 'stable', 'debian']),
        ),
      )
      .records(
        { type: 'VisibilityChanged', data: { from: 'shared', to: 'private' } },
        {
          type: 'ImageUpdated',
          data: {
            changes: [
              { field: 'name', from: 'cirros', to: 'debian' },
              { field: 'hidden', from: false, to: true },
              { field: 'minRam', from: 0, to: 64 },
            ],
            properties: [
              { property: 'os_distro', from: 'cirros', to: 'debian' },
              { property: 'arch', from: null, to: 'x86_64' },
            ],
          },
        },
        { type: 'ProtectionChanged', data: { from: false, to: true } },
        { type: 'TagRemoved', data: { tag: 'linux' } },
        { type: 'TagAdded', data: { tag: 'debian' } },
        { type: 'TagAdded', data: { tag: 'stable' } },
      );
  });

  test('takes the image from sight before, and shows it to more after, all else that changes with it', () => {
    const name = set('name', 'secret');
    const renamed: ImageEvent = {
      type: 'ImageUpdated',
      data: { changes: [{ field: 'name', from: 'cirros', to: 'secret' }], properties: [] },
    };
    const owned = (from: string | null, to: string | null): ImageEvent => ({
      type: 'ImageUpdated',
      data: { changes: [{ field: 'owner', from, to }], properties: [] },
    });
    const seen = (from: Visibility, to: Visibility): ImageEvent => ({
      type: 'VisibilityChanged',
      data: { from, to },
    });
    const untagged: ImageEvent = { type: 'TagRemoved', data: { tag: 'linux' } };
    given(createdAs({ visibility: 'community' }))
      .when(byAdmin(name, set('visibility', 'private'), set('tags', [])))
      .records(seen('community', 'private'), renamed, untagged);
    given(createdAs({ visibility: 'private' }))
      .when(byAdmin(name, set('visibility', 'community'), set('tags', [])))
      .records(renamed, untagged, seen('private', 'community'));
    given(created)
      .when(byAdmin(name, set('owner', 'others'), set('visibility', 'public')))
      .records(owned('owners', 'others'), renamed, seen('shared', 'public'));
    given(created)
      .when(byAdmin(name, set('owner', null), set('visibility', 'private')))
      .records(seen('shared', 'private'), renamed, owned('owners', null));
  });

  test('is judged as a whole: a later operation sees the earlier ones', () => {
    given(created)
      .when(patch(add('new', 'a'), replace('new', 'b')))
      .records(propertyChanged('new', null, 'b'));
    given(created)
      .when(patch(add('new', 'a'), remove('new')))
      .records();
    given(created)
      .when(patch(remove('os_distro'), remove('os_distro')))
      .refused('property-missing');
  });

  test('with one refused operation changes nothing at all', () => {
    given(created)
      .when(patch(set('name', 'debian'), remove('absent')))
      .refused('property-missing');
  });
});

describe('a custom property', () => {
  test('that is there is overwritten by add of patch 2.1, refused by add of patch 2.0', () => {
    given(created)
      .when(patch(add('os_distro', 'debian')))
      .records(propertyChanged('os_distro', 'cirros', 'debian'));
    given(created)
      .when(
        patch({ kind: 'add-property', property: 'os_distro', value: 'debian', overwrite: false }),
      )
      .refused('property-exists');
  });

  test('that is not there is made by add, and not by replace or remove', () => {
    given(created)
      .when(patch(add('new', '')))
      .records(propertyChanged('new', null, ''));
    given(created)
      .when(patch(replace('new', 'a')))
      .refused('property-missing');
    given(created)
      .when(patch(remove('new')))
      .refused('property-missing');
  });

  test('may be named as parts of every object are', () => {
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      given(created)
        .when(patch(remove(name)))
        .refused('property-missing');
      const named = propertyChanged(name, null, 'a');
      given(created)
        .when(patch(add(name, 'a')))
        .records(named);
      given(created, named)
        .when(patch(remove(name)))
        .records(propertyChanged(name, 'a', null));
    }
  });
});

describe('a field', () => {
  test('of format may change only while the image is queued', () => {
    for (const [field, name] of [
      ['diskFormat', /disk_format/],
      ['containerFormat', /container_format/],
    ] as const) {
      given(created)
        .when(patch(set(field, 'ami')))
        .records({
          type: 'ImageUpdated',
          data: {
            changes: [{ field, from: attributes[field], to: 'ami' }],
            properties: [],
          },
        });
      for (const history of [histories.saving, histories.active, histories.deactivated])
        given(...history)
          .when(byAdmin(set(field, 'ami')))
          .refused('format-fixed', name);
    }
  });

  test('of ownership is for administrators', () => {
    given(created)
      .when(patch(set('owner', 'others')))
      .refused('not-allowed');
    given(created)
      .when(byAdmin(set('owner', null)))
      .records({
        type: 'ImageUpdated',
        data: { changes: [{ field: 'owner', from: 'owners', to: null }], properties: [] },
      });
  });

  test('of visibility becomes public by administrators only, community by the owner too', () => {
    given(created)
      .when(patch(set('visibility', 'public')))
      .refused('not-allowed', /publicize_image/);
    given(created)
      .when(byAdmin(set('visibility', 'public')))
      .records({ type: 'VisibilityChanged', data: { from: 'shared', to: 'public' } });
    given(created)
      .when(patch(set('visibility', 'community')))
      .records({ type: 'VisibilityChanged', data: { from: 'shared', to: 'community' } });
  });

  test('may change while the image is being uploaded and when it is active', () => {
    for (const history of [histories.saving, histories.claimed, activated])
      given(...history)
        .when(patch(set('minDisk', 1)))
        .records({
          type: 'ImageUpdated',
          data: { changes: [{ field: 'minDisk', from: 0, to: 1 }], properties: [] },
        });
  });
});

describe('the limits', () => {
  const limited = specOf(imageDecider({ ...defaultLimits, properties: 2, tags: 2 }, defaultAccess));
  const full = createdAs({ properties: { a: '1', b: '2' }, tags: ['a', 'b'] });
  const over = createdAs({ properties: { a: '1', b: '2', c: '3' }, tags: ['a', 'b', 'c'] });
  const creation = (given: Partial<typeof attributes>): ImageCommand => ({
    type: 'CreateImage',
    caller: member,
    attributes: { ...attributes, ...given },
  });

  test('hold for creation', () => {
    limited()
      .when(creation({ tags: ['a', 'b', 'c'] }))
      .refused('limit-exceeded', /tags/);
    limited()
      .when(creation({ properties: { a: '1', b: '2', c: '3' } }))
      .refused('limit-exceeded', /properties/);
    limited()
      .when(creation({ tags: ['a', 'b'], properties: { a: '1', b: '2' } }))
      .records(full);
  });

  test('hold for what a patch or a tag adds', () => {
    limited(full)
      .when(patch(add('c', '3')))
      .refused('limit-exceeded', /properties/);
    limited(full)
      .when(patch(set('tags', ['a', 'b', 'c'])))
      .refused('limit-exceeded', /tags/);
    limited(full)
      .when({ type: 'AddTag', caller: member, tag: 'c' })
      .refused('limit-exceeded', /tags/);
  });

  test('let an image that has too many shrink and change what it has', () => {
    limited(over)
      .when(patch(replace('a', 'new')))
      .records(propertyChanged('a', '1', 'new'));
    limited(over)
      .when(patch(remove('a')))
      .records(propertyChanged('a', '1', null));
    limited(over)
      .when({ type: 'RemoveTag', caller: member, tag: 'a' })
      .records({ type: 'TagRemoved', data: { tag: 'a' } });
    limited(over)
      .when(patch(set('name', null)))
      .records({
        type: 'ImageUpdated',
        data: { changes: [{ field: 'name', from: 'cirros', to: null }], properties: [] },
      });
  });

  test('count what a patch leaves, not what it passes through', () => {
    limited(full)
      .when(patch(add('c', '3'), remove('a')))
      .records({
        type: 'ImageUpdated',
        data: {
          changes: [],
          properties: [
            { property: 'a', from: '1', to: null },
            { property: 'c', from: null, to: '3' },
          ],
        },
      });
  });

  test('below zero do not limit', () => {
    const tags = Array.from({ length: 300 }, (_, index) => `tag-${index}`);
    specOf(imageDecider({ properties: -1, tags: -1, members: -1, locations: -1 }, defaultAccess))()
      .when(creation({ tags }))
      .records(createdAs({ tags }));
  });
});
