import type { JsonObject } from '../json.ts';
import { isSame } from '../metadef/same.ts';
import { Refused } from '../refused.ts';
import type { Access, Caller } from './access.ts';
import type { Attributes, ImageLimits } from './attributes.ts';
import type { CallerCommand, KnownLocation, NewLocation, PatchOperation } from './commands.ts';
import type { Digests, ImageEvent } from './events.ts';
import { requireFormats } from './filling.ts';
import { requireNotHeld } from './hold.ts';
import type { Existing, Location } from './state.ts';
import { hashAlgorithm, vouched } from './validation.ts';

/**
 * Takes the image out of one store (reference, section 15). The last copy stays, whichever store is named, as in Glance:
 * its bytes are the image.
 */
export function decideRemovalOfCopy(
  { store, caller, readable }: CallerCommand & { readonly type: 'RemoveCopy' },
  state: Existing,
  access: Access,
): readonly ImageEvent[] {
  access.authorize('get_image_location', state, caller);
  if (state.status !== 'active')
    throw new Refused('wrong-status', `The image is ${state.status}: it must be active.`);
  const { locations } = state.content;
  const there = locations.filter((location) => location.store === store);
  if (there.length === 0 && locations.length > 1)
    throw new Refused('copy-unknown', `The image is not in the store ${store}.`);
  const others = locations.filter(
    (location) => location.store !== store && (readable?.includes(location.store) ?? true),
  );
  if (others.length === 0 || locations.length === 1) {
    requireNotHeld(state, undefined);
    throw new Refused('last-location', 'The only copy of an image cannot be removed.');
  }
  return there.map(removed);
}

export type LocationOperation = PatchOperation & {
  readonly kind: 'add-location' | 'replace-locations' | 'remove-location';
};

export const isOfLocations = (operation: PatchOperation): operation is LocationOperation =>
  operation.kind === 'add-location' ||
  operation.kind === 'replace-locations' ||
  operation.kind === 'remove-location';

/** An image's locations while a patch is decided: what they come to, and the facts that lead there. */
export interface Places {
  readonly status: Existing['status'];
  readonly locations: readonly Location[];
  /** Bytes; null while there are none. */
  readonly size: number | null;
  /** Null while a client may still say them. */
  readonly digests: Digests | null;
  readonly facts: readonly ImageEvent[];
}

export const placesOf = (state: Existing): Places =>
  'content' in state
    ? { status: state.status, ...state.content, facts: [] }
    : { status: state.status, locations: [], size: null, digests: null, facts: [] };

/** What a location operation of PATCH comes to (reference, section 14.1). `draft` is the image as patched so far. */
export function movedPlaces(
  operation: LocationOperation,
  places: Places,
  draft: Attributes,
  state: Existing,
  caller: Caller,
  { access, limits }: { readonly access: Access; readonly limits: ImageLimits },
): Places {
  if (operation.kind === 'remove-location') {
    access.authorize('delete_image_location', state, caller);
    return withoutLocation(operation.at, places);
  }
  access.authorize('set_image_location', state, caller);
  requireOpen(places.status, state);
  if (operation.kind === 'replace-locations' && places.locations.length > 0)
    return withMetadata(operation.locations, places);
  const added = operation.kind === 'add-location' ? [operation.location] : operation.locations;
  const at = operation.kind === 'add-location' ? operation.at : null;
  if (added.length === 0)
    throw new Refused('last-location', 'The locations of an image cannot be taken from it.');
  requireFormats(draft, 'formats-missing');
  const known = vouched(
    places.digests,
    added.map(({ validation }) => validation),
  );
  return added.reduce(
    (before, location) => withLocation(location, at, known, before, limits),
    places,
  );
}

function requireOpen(status: Existing['status'], { upload }: Existing): void {
  if (status !== 'queued' && status !== 'active')
    throw new Refused(
      'wrong-status',
      `It's not allowed to change locations if the image is ${status}.`,
    );
  if (status === 'queued' && upload !== null)
    throw new Refused('operation-in-progress', 'Another operation on this image is in progress.');
}

function withLocation(
  location: NewLocation | KnownLocation,
  at: number | null,
  digests: Digests,
  places: Places,
  limits: ImageLimits,
): Places {
  if ('knownId' in location)
    throw new Refused('locations-differ', 'The locations of the image were changed meanwhile.');
  const { locationId, store, url, metadata, size } = location;
  if (at !== null && at > places.locations.length)
    throw new Refused('location-unknown', 'Invalid position for adding a location.');
  if (places.locations.some((one) => one.key === url && isSame(one.metadata, metadata)))
    throw new Refused('location-exists', `The image is at ${url} already.`);
  if (places.size !== null && places.size !== size)
    throw new Refused(
      'locations-differ',
      `There are ${size} bytes at ${url}, but the image has ${places.size}.`,
    );
  const count = places.locations.length + 1;
  if (limits.locations >= 0 && count > limits.locations)
    throw new Refused(
      'limit-exceeded',
      `The limit has been exceeded on the number of allowed image locations. Attempted: ${count}, Maximum: ${limits.locations}`,
    );
  const algorithm = digests[hashAlgorithm] === undefined ? null : hashAlgorithm;
  const place = at === null ? {} : { at };
  const data = { locationId, store, url, metadata, size, digests, algorithm, ...place };
  const added = { id: locationId, store, key: url, ours: false, metadata };
  return {
    status: 'active',
    locations: inserted(places.locations, added, at),
    size,
    digests,
    facts: [...places.facts, { type: 'LocationAdded', data }],
  };
}

/** Behind the last where `at` says nothing. */
export const inserted = (
  locations: readonly Location[],
  location: Location,
  at: number | null,
): readonly Location[] => locations.toSpliced(at ?? locations.length, 0, location);

/** The same locations with other metadata; an image's bytes are where they are. */
function withMetadata(given: readonly (NewLocation | KnownLocation)[], places: Places): Places {
  if (given.length === 0)
    throw new Refused('last-location', 'The locations of an image cannot be taken from it.');
  vouched(
    places.digests,
    given.map(({ validation }) => validation),
  );
  const named = new Map(
    given.map((one) => ['knownId' in one ? `${one.store}/${one.knownId}` : '', one.metadata]),
  );
  const locations = places.locations.map((location): Location => {
    const metadata = named.get(nameOf(location));
    if (metadata === undefined) throw differ();
    return { ...location, metadata };
  });
  if (named.size !== locations.length || given.length !== locations.length) throw differ();
  const facts = places.locations.flatMap((location, index) =>
    metadataChange(location, locations[index]?.metadata ?? {}),
  );
  return { ...places, locations, facts: [...places.facts, ...facts] };
}

const differ = (): Refused =>
  new Refused(
    'locations-differ',
    'Only the metadata of locations can be replaced, not their URLs.',
  );

const metadataChange = (
  { id, store, metadata: from }: Location,
  to: JsonObject,
): readonly ImageEvent[] =>
  isSame(from, to)
    ? []
    : [{ type: 'LocationMetadataChanged', data: { locationId: id, store, from, to } }];

function withoutLocation(at: number | null, places: Places): Places {
  const { status, locations } = places;
  if (status !== 'active')
    throw new Refused(
      'wrong-status',
      `It's not allowed to remove locations if the image is ${status}.`,
    );
  if (locations.length === 1)
    throw new Refused('last-location', 'Cannot remove the last location of an image.');
  const location = locations[at ?? locations.length - 1];
  if (location === undefined)
    throw new Refused('location-unknown', 'Invalid position for removing a location.');
  return {
    ...places,
    locations: locations.filter((one) => one !== location),
    facts: [...places.facts, removed(location)],
  };
}

const removed = ({ id, store }: Location): ImageEvent => ({
  type: 'LocationRemoved',
  data: { locationId: id, store },
});

const nameOf = ({ id, store }: Location): string => `${store}/${id}`;
