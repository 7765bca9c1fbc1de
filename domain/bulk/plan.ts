import type { Attributes } from '../image/attributes.ts';
import type { PatchOperation } from '../image/commands.ts';
import { type Existing, type Image, isThere, uploadOf } from '../image/state.ts';
import type { BulkItem } from './events.ts';

/** What an item comes to, by what its image is now. */
export type Plan =
  /** There is none yet. */
  | { readonly kind: 'create' }
  /** Under this id there can be none: under another. */
  | { readonly kind: 'elsewhere' }
  /** It is there, without bytes. */
  | { readonly kind: 'fill'; readonly changes: Changes }
  /** Somebody fills it. */
  | { readonly kind: 'wait'; readonly uploadId: string }
  /** It is there, with these bytes as far as can be known. */
  | { readonly kind: 'keep'; readonly changes: Changes }
  | { readonly kind: 'refuse'; readonly reason: string; readonly message: string };

/** What is to be changed of an image that is there, so that it is as the manifest says. */
export interface Changes {
  readonly operations: readonly PatchOperation[];
  readonly members: readonly string[];
}

export const isNothing = ({ operations, members }: Changes): boolean =>
  operations.length === 0 && members.length === 0;

/**
 * An image of another owner is never taken for the item's: ids that are made from what an image is can be foreseen, and
 * anybody can give an image any id.
 */
export function planFor(item: BulkItem, state: Image): Plan {
  if (state.status === 'absent') return { kind: 'create' };
  if (!isThere(state))
    return item.isIdGiven
      ? refuse('id-spent', 'An image of this id was deleted, and its id is spent.')
      : { kind: 'elsewhere' };
  if (state.owner !== item.attributes.owner)
    return item.isIdGiven
      ? refuse('id-taken', 'There is an image of this id, which has another owner.')
      : { kind: 'elsewhere' };
  const changes = changesOf(item, state);
  if ('content' in state) {
    const difference = differenceOf(item, state);
    if (difference === undefined) return { kind: 'keep', changes };
    return item.isIdGiven ? refuse('content-differs', difference) : { kind: 'elsewhere' };
  }
  if (state.status === 'uploading' && state.upload.method === null)
    return refuse('image-busy', 'Bytes for this image are staged, or about to be.');
  const upload = uploadOf(state);
  return upload === null ? { kind: 'fill', changes } : { kind: 'wait', uploadId: upload.uploadId };
}

const refuse = (reason: string, message: string): Plan => ({ kind: 'refuse', reason, message });

/** Digests of kinds that nobody took of the bytes tell nothing. */
function differenceOf(
  { expected }: BulkItem,
  { content }: Existing & { readonly status: 'active' | 'deactivated' },
): string | undefined {
  if (expected === null) return undefined;
  if (expected.size !== null && expected.size !== content.size)
    return `The image has ${content.size} bytes, not ${expected.size}.`;
  for (const [algorithm, value] of Object.entries(expected.digests)) {
    const known = content.digests[algorithm];
    if (known !== undefined && known !== value)
      return `The image has other bytes: their ${algorithm} is ${known}.`;
  }
  return undefined;
}

function changesOf({ attributes, named, members }: BulkItem, state: Existing): Changes {
  const operations = named.flatMap((field): readonly PatchOperation[] => {
    if (field === 'properties') return propertyOperations(attributes, state);
    const value = attributes[field];
    return isSame(value, state[field]) ? [] : [{ kind: 'set', field, value }];
  });
  const missing = members.filter((member) =>
    state.members.every(({ projectId }) => projectId !== member),
  );
  return { operations, members: missing };
}

/** Properties that the manifest does not name stay. */
const propertyOperations = (
  { properties }: Pick<Attributes, 'properties'>,
  state: Existing,
): readonly PatchOperation[] =>
  Object.entries(properties)
    .filter(([property, value]) => state.properties[property] !== value)
    .map(([property, value]) => ({ kind: 'add-property', property, value, overwrite: true }));

/** Lists are sets of tags. */
const isSame = (one: Attributes[keyof Attributes], other: Attributes[keyof Attributes]): boolean =>
  Array.isArray(one) && Array.isArray(other)
    ? one.length === other.length && one.every((tag) => other.includes(tag))
    : one === other;
