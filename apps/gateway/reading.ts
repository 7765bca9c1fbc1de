import type { Access } from '../../domain/image/access.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Call } from './call.ts';
import type { Reading } from './wire/image.ts';
import type { ImageSchema } from './wire/image-schema.ts';
import { placesOf, type Showing } from './wire/places.ts';

/** What each caller gets to see of images. */
export const readings =
  ({
    access,
    schema,
    stores,
    showing,
  }: {
    readonly access: Access;
    readonly schema: ImageSchema;
    readonly stores: Stores;
    readonly showing: Showing;
  }) =>
  ({ caller }: Pick<Call, 'caller'>): Reading => ({
    view: access.protectsProperties ? null : access.isAdmin(caller) ? 'admin' : 'any',
    isReadable: (property) => access.ruleAgainst('read', property, caller) === undefined,
    schema,
    placesOf: (record) => placesOf(record, access.isAdmin(caller), stores, showing),
  });
