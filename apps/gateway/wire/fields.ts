import type { AttributeField, Attributes, Visibility } from '../../../domain/image/attributes.ts';
import { Refused } from '../../../domain/refused.ts';
import { HttpError } from '../http-error.ts';
import { isStorable } from '../text.ts';
import { isBaseField } from './base-properties.ts';
import type { ImageSchema } from './image-schema.ts';
import { lengthOf } from './json-schema.ts';

/** Only the server writes these (reference, section 7.2, step 6). */
const readOnly: ReadonlySet<string> = new Set([
  'id',
  'status',
  'created_at',
  'updated_at',
  'checksum',
  'size',
  'virtual_size',
  'os_hash_algo',
  'os_hash_value',
  'direct_url',
  'self',
  'file',
  'schema',
  'stores',
]);

const reserved: ReadonlySet<string> = new Set(['location', 'deleted', 'deleted_at']);

/** The fields of a client's to write, by their names on the wire. */
export const writableFields = {
  name: 'name',
  owner: 'owner',
  visibility: 'visibility',
  protected: 'protected',
  os_hidden: 'hidden',
  disk_format: 'diskFormat',
  container_format: 'containerFormat',
  min_disk: 'minDisk',
  min_ram: 'minRam',
  tags: 'tags',
} as const satisfies Readonly<Record<string, AttributeField>>;

export type WritableField = keyof typeof writableFields;

export const isWritableField = (name: string): name is WritableField =>
  Object.hasOwn(writableFields, name);

const isReserved = (name: string): boolean => reserved.has(name) || name.startsWith('os_glance');

/** Whether a client may ever give it. */
export const isGivable = (name: string): boolean => !readOnly.has(name) && !isReserved(name);

/** 403 for names that are not the client's to give. */
export function guardName(name: string): void {
  if (readOnly.has(name)) throw new Refused('field-fixed', `Attribute '${name}' is read-only.`);
  if (isReserved(name)) throw new Refused('field-fixed', `Attribute '${name}' is reserved.`);
}

const largestInteger = 2 ** 31 - 1;
/** Longest name of a custom property, in characters. */
export const maxPropertyNameLength = 255;
/** Of lists and objects in the value of a property. */
const maxDepth = 32;

/** 400 for a value that the image schema does not allow, or that cannot be stored. */
export function checkValue(schema: ImageSchema, name: string, value: unknown): void {
  if (!isWithin(maxDepth, value))
    throw new HttpError(400, `The value of ${name} is nested too deeply.`);
  const found = schema.checkOf(name)(value);
  if (found !== undefined)
    throw new HttpError(400, `Provided object does not match schema 'image': ${found}`);
  const texts = [value].flat().filter((part) => typeof part === 'string');
  if (!isStorable(name) || !texts.every(isStorable))
    throw new HttpError(400, 'Names and values must be Unicode text without NUL characters.');
  if (!isBaseField(name) && lengthOf(name) > maxPropertyNameLength)
    throw new HttpError(
      400,
      `Custom property names can be no longer than ${maxPropertyNameLength} characters.`,
    );
  if (name === 'min_disk' || name === 'min_ram') checkRange(name, value as number);
}

function isWithin(depth: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isWithin(depth - 1, inner));
}

function checkRange(name: string, value: number): void {
  if (value < 0 || value > largestInteger)
    throw new HttpError(400, `Cannot be a negative value or above ${largestInteger}: ${name}.`);
}

/** A checked value as the domain has it. */
export function fieldValue(name: WritableField, value: unknown): Attributes[AttributeField] {
  if (name === 'owner') return value === '' ? null : (value as string | null);
  if (name === 'tags') return [...new Set(value as readonly string[])];
  if (name === 'visibility') return value as Visibility;
  return value as string | number | boolean | null;
}
