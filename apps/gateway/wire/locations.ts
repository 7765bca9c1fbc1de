import type { Validation } from '../../../domain/image/events.ts';
import { digestLengths, isDigest } from '../../../domain/image/validation.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { HttpError } from '../http-error.ts';
import { isStorable } from '../text.ts';
import { checkOf, type Schema } from './json-schema.ts';

/** A location as a client names it. */
export interface GivenLocation {
  readonly url: string;
  readonly metadata: JsonObject;
  readonly validation: Validation | null;
}

/** What PATCH asks to be done with locations; it is looked at before it is decided. */
export type LocationAsk =
  | { readonly kind: 'ask-add'; readonly at: number | null; readonly location: GivenLocation }
  | { readonly kind: 'ask-replace'; readonly locations: readonly GivenLocation[] }
  | { readonly kind: 'ask-remove'; readonly at: number | null };

/** `value` fits the image schema; `at` is the pointer's second level. */
export function locationAsk(
  operation: 'add' | 'replace' | 'remove',
  at: string | undefined,
  value: unknown,
): LocationAsk {
  const position = at === undefined || at === '-' ? null : Number(at);
  if (operation === 'remove') return { kind: 'ask-remove', at: position };
  if (operation === 'add') return { kind: 'ask-add', at: position, location: givenFrom(value) };
  return { kind: 'ask-replace', locations: (value as readonly unknown[]).map(givenFrom) };
}

function givenFrom(value: unknown): GivenLocation {
  const { url, metadata, validation_data } = value as {
    readonly url: string;
    readonly metadata: JsonObject;
    readonly validation_data?: GivenValidation;
  };
  const { store: _, ...rest } = metadata;
  if (!isKeepable(metadata) || !isStorable(url))
    throw new HttpError(400, 'Locations must be Unicode text without NUL characters.');
  if (JSON.stringify(metadata).length > maxMetadataLength)
    throw new HttpError(400, `The metadata of a location is too long.`);
  return { url, metadata: rest, validation: validationFrom(validation_data) };
}

/** In characters of JSON: an image is read and written whole. */
const maxMetadataLength = 16_384;

function isKeepable(value: unknown): boolean {
  if (typeof value === 'string') return isStorable(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => isStorable(name) && isKeepable(inner));
}

interface GivenValidation {
  readonly os_hash_algo: string;
  readonly os_hash_value: string;
  readonly checksum?: string;
}

const validationFrom = (given: GivenValidation | undefined): Validation | null =>
  given === undefined
    ? null
    : {
        algorithm: given.os_hash_algo,
        value: given.os_hash_value.toLowerCase(),
        checksum: given.checksum?.toLowerCase() ?? null,
      };

const additionSchema: Schema = {
  type: 'object',
  required: ['url'],
  additionalProperties: false,
  properties: {
    url: { type: 'string', maxLength: 255 },
    validation_data: {
      type: 'object',
      required: ['os_hash_algo', 'os_hash_value'],
      additionalProperties: false,
      properties: {
        os_hash_algo: { type: 'string', enum: Object.keys(digestLengths) },
        os_hash_value: { type: 'string', maxLength: 128 },
      },
    },
  },
};
const checkAddition = checkOf(additionSchema);

/** The document of `POST /v2/images/{id}/locations` (reference, section 14.2). */
export function additionFrom(document: unknown): GivenLocation {
  const found = checkAddition(document);
  if (found !== undefined)
    throw new HttpError(400, `Provided object does not match schema 'location': ${found}`);
  const { url, validation_data } = document as { url: string; validation_data?: GivenValidation };
  const validation = validationFrom(validation_data);
  if (validation !== null && !isDigest(validation.algorithm, validation.value))
    throw new HttpError(400, `os_hash_value is no ${validation.algorithm}.`);
  if (!isStorable(url)) throw new HttpError(400, 'A URL must be text without NUL characters.');
  return { url, metadata: {}, validation };
}
