import { Refused } from '../refused.ts';
import type { Access, Caller, Target } from './access.ts';
import {
  type Attributes,
  type ImageLimits,
  maxOwnerLength,
  maxPropertiesBytes,
  maxPropertyValueBytes,
  type Visibility,
} from './attributes.ts';
import type { CallerCommand, PatchOperation } from './commands.ts';
import type { Change, ImageEvent, PropertyChange } from './events.ts';
import { requireProjectNotHeld } from './hold.ts';
import { isOfLocations, type LocationOperation, movedPlaces, placesOf } from './locations.ts';
import type { Existing, Image } from './state.ts';
import { sightAfter } from './visibility.ts';

/** What decisions rest on beside the image itself. */
export interface Grounds {
  readonly limits: ImageLimits;
  readonly access: Access;
}

/** What `CreateImage` leads to. An id is spent for ever, so a deleted image's id exists too. */
export function decideCreation(
  { caller, attributes }: CallerCommand & { type: 'CreateImage' },
  state: Image,
  { limits, access }: Grounds,
): readonly ImageEvent[] {
  access.requireProjectScope('add_image', caller);
  if (!access.allowsNew(attributes, caller))
    throw new Refused(
      'not-allowed',
      attributes.owner === caller.projectId
        ? 'You are not authorized to complete add_image action.'
        : 'You are not permitted to create images owned by another project.',
      'add_image',
    );
  guardVisibility(attributes.visibility, attributes, caller, access);
  for (const property of Object.keys(attributes.properties))
    access.authorizeProperty('create', property, caller);
  guardLimits(attributes, limits, attributes);
  if (state.status !== 'absent')
    throw new Refused('image-exists', 'An image with the same id already exists');
  return [{ type: 'ImageCreated', data: attributes }];
}

/** What `UpdateImage` leads to: the operations in order on one draft, then the difference as facts. */
export function decideUpdate(
  {
    caller,
    operations,
    projectHold,
  }: Pick<CallerCommand & { type: 'UpdateImage' }, 'caller' | 'operations' | 'projectHold'>,
  state: Existing,
  { limits, access }: Grounds,
): readonly ImageEvent[] {
  let draft = attributesOf(state);
  let places = placesOf(state);
  for (const operation of operations)
    if (isOfLocations(operation))
      places = movedPlaces(operation, places, draft, state, caller, { access, limits });
    else {
      guardOperation(operation, draft, state, caller, access);
      draft = applied(operation, draft);
    }
  guardLimits(draft, limits, state);
  if (draft.owner !== state.owner) requireProjectNotHeld(state, projectHold);
  return [...differences(state, draft), ...places.facts];
}

/** An operation on what the client itself says of the image. */
type AttributeOperation = Exclude<PatchOperation, LocationOperation>;

const attributesOf = (state: Existing): Attributes => ({
  name: state.name,
  owner: state.owner,
  visibility: state.visibility,
  protected: state.protected,
  hidden: state.hidden,
  diskFormat: state.diskFormat,
  containerFormat: state.containerFormat,
  minDisk: state.minDisk,
  minRam: state.minRam,
  tags: state.tags,
  properties: state.properties,
});

function guardOperation(
  operation: AttributeOperation,
  draft: Attributes,
  state: Existing,
  caller: Caller,
  access: Access,
): void {
  if (operation.kind === 'set') {
    guardField(operation, draft, state, caller, access);
    return;
  }
  guardProperty(operation, draft, caller, access);
}

/**
 * A property that the caller may not read answers as one that is not there, but for an addition, which must not replace
 * it unseen (the original lets it where the caller may create).
 */
function guardProperty(
  operation: Exclude<AttributeOperation, { kind: 'set' }>,
  draft: Attributes,
  caller: Caller,
  access: Access,
): void {
  const { kind, property } = operation;
  const present = Object.hasOwn(draft.properties, property);
  const hiddenBy = present ? access.ruleAgainst('read', property, caller) : undefined;
  if (kind === 'add-property') {
    if (hiddenBy !== undefined) access.authorizeProperty('read', property, caller);
    if (present && !operation.overwrite)
      throw new Refused('property-exists', `Property ${property} already present.`);
    access.authorizeProperty(present ? 'update' : 'create', property, caller);
    return;
  }
  if (!present || hiddenBy !== undefined)
    throw new Refused('property-missing', `Property ${property} does not exist.`, hiddenBy);
  access.authorizeProperty(kind === 'replace-property' ? 'update' : 'delete', property, caller);
}

function guardField(
  { field, value }: AttributeOperation & { kind: 'set' },
  draft: Attributes,
  state: Existing,
  caller: Caller,
  access: Access,
): void {
  if (field === 'visibility')
    guardVisibility(value as Visibility, { ...draft, members: state.members }, caller, access);
  else if (field === 'owner' && !access.isAdmin(caller))
    throw new Refused(
      'not-allowed',
      "You are not permitted to modify 'owner' on this image.",
      'modify_image',
    );
  else if (
    (field === 'diskFormat' || field === 'containerFormat') &&
    state.status !== 'queued' &&
    state.status !== 'importing'
  ) {
    const name = field === 'diskFormat' ? 'disk_format' : 'container_format';
    throw new Refused('format-fixed', `Attribute ${name} can be only replaced for a queued image.`);
  }
}

function guardVisibility(
  visibility: Visibility,
  target: Target,
  caller: Caller,
  access: Access,
): void {
  if (visibility === 'public') access.authorize('publicize_image', target, caller);
  if (visibility === 'community') access.authorize('communitize_image', target, caller);
}

function applied(operation: AttributeOperation, draft: Attributes): Attributes {
  if (operation.kind === 'set') {
    if (operation.field === 'tags')
      return { ...draft, tags: [...new Set(operation.value as readonly string[])] };
    return { ...draft, [operation.field]: operation.value };
  }
  const others = Object.entries(draft.properties).filter(([name]) => name !== operation.property);
  const kept = operation.kind === 'remove-property' ? [] : [[operation.property, operation.value]];
  const properties = Object.fromEntries([...others, ...kept]);
  return { ...draft, properties };
}

/** Glance checks the property count only when a name is new, the tag count whenever tags grow. */
export function guardLimits(after: Attributes, limits: ImageLimits, before: Attributes): void {
  const names = Object.keys(after.properties);
  const grew = before === after || names.some((name) => !Object.hasOwn(before.properties, name));
  guardCount('properties', names.length, limits.properties, grew);
  guardCount(
    'tags',
    after.tags.length,
    limits.tags,
    before === after || after.tags.length > before.tags.length,
  );
  const none = { owner: null, properties: {} };
  guardLength(after, before === after ? none : before);
}

type Lengthy = Pick<Attributes, 'owner' | 'properties'>;

/** Refuses what grew beyond what can be kept; what is there already may stay, and shrink. */
function guardLength(after: Lengthy, before: Lengthy): void {
  if (after.owner !== before.owner && [...(after.owner ?? '')].length > maxOwnerLength)
    throw new Refused(
      'limit-exceeded',
      `An owner can be no longer than ${maxOwnerLength} characters.`,
    );
  if (after.properties === before.properties) return;
  for (const [name, value] of Object.entries(after.properties)) {
    const was = ownValue(before.properties, name) ?? '';
    guardBytes(`the value of property ${name}`, value, was, maxPropertyValueBytes);
  }
  const whole = ({ properties }: Lengthy) => Object.entries(properties).flat().join('');
  guardBytes('all image properties together', whole(after), whole(before), maxPropertiesBytes);
}

function guardBytes(what: string, after: string, before: string, most: number): void {
  const bytes = utf8Length(after);
  if (bytes > most && bytes > utf8Length(before))
    throw new Refused(
      'limit-exceeded',
      `The limit has been exceeded on the size of ${what}. Attempted: ${bytes} bytes, Maximum: ${most} bytes`,
    );
}

/** Bytes of a text in UTF-8. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // Each half of a surrogate pair counts for two of its four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return bytes;
}

function guardCount(what: string, count: number, limit: number, grew: boolean): void {
  if (grew && limit >= 0 && count > limit)
    throw new Refused(
      'limit-exceeded',
      `The limit has been exceeded on the number of allowed image ${what}. Attempted: ${count}, Maximum: ${limit}`,
    );
}

const plainFields: readonly Change['field'][] = [
  'name',
  'owner',
  'hidden',
  'diskFormat',
  'containerFormat',
  'minDisk',
  'minRam',
];

/** In the order of `sightAfter`: what decides who can see the image, apart from all else. */
export function differences(before: Attributes, after: Attributes): readonly ImageEvent[] {
  const changes = plainFields
    .filter((field) => before[field] !== after[field])
    .map((field): Change => ({ field, from: before[field], to: after[field] }));
  const properties = propertyChanges(before.properties, after.properties);
  const removed = before.tags.filter((tag) => !after.tags.includes(tag));
  const added = after.tags.filter((tag) => !before.tags.includes(tag));
  const shownTo = (sight: 'fewer' | 'more'): readonly ImageEvent[] => [
    ...updated(changes.filter((change) => sightAfter(change) === sight)),
    ...visibilityChanges(before, after).filter(
      ({ data }) => sightAfter({ field: 'visibility', ...data }) === sight,
    ),
  ];
  return [
    ...shownTo('fewer'),
    ...updated(
      changes.filter((change) => sightAfter(change) === 'same'),
      properties,
    ),
    ...(before.protected !== after.protected
      ? [
          {
            type: 'ProtectionChanged',
            data: { from: before.protected, to: after.protected },
          } as const,
        ]
      : []),
    ...removed.map((tag) => ({ type: 'TagRemoved', data: { tag } }) as const),
    ...added.map((tag) => ({ type: 'TagAdded', data: { tag } }) as const),
    ...shownTo('more'),
  ];
}

const updated = (
  changes: readonly Change[],
  properties: readonly PropertyChange[] = [],
): readonly ImageEvent[] =>
  changes.length > 0 || properties.length > 0
    ? [{ type: 'ImageUpdated', data: { changes, properties } }]
    : [];

const visibilityChanges = (before: Attributes, after: Attributes) =>
  before.visibility === after.visibility
    ? []
    : [
        {
          type: 'VisibilityChanged',
          data: { from: before.visibility, to: after.visibility },
        } as const,
      ];

function propertyChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly PropertyChange[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .map((property) => ({
      property,
      from: ownValue(before, property),
      to: ownValue(after, property),
    }))
    .filter(({ from, to }) => from !== to);
}

const ownValue = (record: Readonly<Record<string, string>>, name: string): string | null =>
  Object.hasOwn(record, name) ? (record[name] ?? null) : null;
