import type { Json } from '../../../domain/json.ts';
import { hasType, type Schema, typesOf } from './json-schema.ts';

/**
 * Custom properties are text where they are kept, as in the original's database. One that the operator's schema gives
 * another type is kept as JSON, and shown as the value that it is, so that an image is always what its schema says.
 */
export function propertyText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null ? '' : JSON.stringify(value);
}

/** The value that the text of a property is shown as; text that is older than its schema stays what it is. */
export function propertyValue(schema: Schema, text: string): Json {
  const types = typesOf(schema);
  if (types.includes('string')) return text;
  try {
    const value: Json = text === '' ? null : JSON.parse(text);
    return types.some((type) => hasType(type, value)) ? value : text;
  } catch {
    return text;
  }
}
