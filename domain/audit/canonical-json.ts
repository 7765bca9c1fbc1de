import type { Json } from '../json.ts';

/**
 * JSON in the one form that RFC 8785 (JSON Canonicalization Scheme) allows: no spaces, keys in the order of their UTF-16
 * code units, numbers and texts as ECMAScript writes them. Whoever read the value, from whichever store, gets the same
 * characters. Throws on a number that JSON has not: it was never written by us.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new RangeError('a number beyond the range of JSON as it is written here');
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  let text = '';
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
