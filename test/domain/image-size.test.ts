import { test } from 'node:test';
import type { PatchOperation } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import { specOf } from '../support/spec.ts';
import { admin, attributes, createdAs } from './fixtures.ts';

const given = specOf(image);

/** 64 KiB less one byte, in three bytes a character but one. */
const largest = '€'.repeat(21_845);
const many = (count: number, value = largest): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, value]));

const create = (more: object) =>
  ({
    type: 'CreateImage',
    caller: admin,
    attributes: { ...attributes, properties: {}, ...more },
  }) as const;
const update = (...operations: readonly PatchOperation[]) =>
  ({ type: 'UpdateImage', caller: admin, operations }) as const;
const put = (property: string, value: string): PatchOperation => ({
  kind: 'add-property',
  property,
  value,
  overwrite: true,
});
const changed = (property: string, from: string | null, to: string | null): ImageEvent => ({
  type: 'ImageUpdated',
  data: { changes: [], properties: [{ property, from, to }] },
});
const holding = (properties: Record<string, string>): ImageEvent => createdAs({ properties });

test('a value is at most 65,535 bytes, not characters', () => {
  given()
    .when(create({ properties: { note: largest } }))
    .records(holding({ note: largest }));
  given()
    .when(create({ properties: { note: `${largest}x` } }))
    .refused('limit-exceeded');
  given(holding({}))
    .when(update(put('note', largest)))
    .records(changed('note', null, largest));
  given(holding({}))
    .when(update(put('note', `${largest}x`)))
    .refused('limit-exceeded');
});

test('names and values are at most one mebibyte together', () => {
  given()
    .when(create({ properties: many(17) }))
    .refused('limit-exceeded');
  given(holding(many(14)))
    .when(update(put('last', largest)))
    .records(changed('last', null, largest));
  given(holding(many(16)))
    .when(update(put('last', 'x')))
    .refused('limit-exceeded');
});

test('what counts is the state that all operations leave', () => {
  given(holding(many(14)))
    .when(
      update(put('more', largest), put('most', largest), {
        kind: 'remove-property',
        property: 'more',
      }),
    )
    .records(changed('most', null, largest));
});

test('an image that is larger already may stay and shrink, but not grow', () => {
  const before = holding({ ...many(20), note: `${largest}xx` });
  given(before)
    .when(update(put('note', `${largest}x`)))
    .records(changed('note', `${largest}xx`, `${largest}x`));
  given(before)
    .when(update({ kind: 'set', field: 'name', value: 'renamed' }))
    .records({
      type: 'ImageUpdated',
      data: { changes: [{ field: 'name', from: 'cirros', to: 'renamed' }], properties: [] },
    });
  given(before)
    .when(update(put('note', `${largest}xxx`)))
    .refused('limit-exceeded');
});

test('an owner is at most 255 characters, whoever names it', () => {
  const owner = 'o'.repeat(256);
  given().when(create({ owner })).refused('limit-exceeded');
  given(holding({}))
    .when(update({ kind: 'set', field: 'owner', value: owner }))
    .refused('limit-exceeded');
});
