import type { Json, JsonObject } from '../json.ts';

/** What JSON escapes in a text, and halves of a character that stand alone among the others. */
const escaped = /["\\\p{Cc}\ud800-\udfff]/u;
/** A text without these is most texts, and written thrice as fast. */
const quoted = (text: string): string => (escaped.test(text) ? JSON.stringify(text) : `"${text}"`);

/**
 * JSON in the one form that RFC 8785 (JSON Canonicalization Scheme) allows: no spaces, keys in the order of their UTF-16
 * code units, numbers and texts as ECMAScript writes them. Whoever read the value, from whichever store, gets the same
 * characters. Throws on a number that JSON has not: it was never written by us.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new RangeError('a number beyond the range of JSON as it is written here');
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return isList(value) ? `[${value.map(canonicalJson).join(',')}]` : canonicalObject(value);
}

function canonicalObject(value: JsonObject): string {
  let text = '';
  for (const key of inOrder(Object.keys(value))) {
    const member = value[key];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${quoted(key)}:${canonicalJson(member)}`;
  }
  return `{${text}}`;
}

/** Few keys are sorted faster so than by calling out for comparisons. */
const few = 16;

function inOrder(keys: string[]): readonly string[] {
  if (keys.length > few) return keys.sort();
  for (let next = 1; next < keys.length; next += 1) {
    const key = keys[next] ?? '';
    let at = next;
    for (; at > 0 && (keys[at - 1] ?? '') > key; at -= 1) keys[at] = keys[at - 1] ?? '';
    keys[at] = key;
  }
  return keys;
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
