import type { Json } from '../../domain/json.ts';

/** What of a thing a value is: one of its fields, or one of the many of a kind that it may have. */
export type ValueKind =
  | 'field'
  | 'property'
  | 'tag'
  | 'member'
  | 'object'
  | 'resource_type'
  | 'reservation';

/** One value before and after; null is absent. */
export interface Difference {
  readonly kind: ValueKind;
  readonly name: string;
  readonly old: Json;
  readonly new: Json;
}

export interface Value {
  readonly kind: ValueKind;
  readonly name: string;
  readonly value: Json;
}

/** Everything that is known of a thing, value by value, in order. What is null is left out. */
export type Values = ReadonlyMap<string, Value>;

export const nothingKnown: Values = new Map();

export const keyOfValue = ({ kind, name }: Pick<Value, 'kind' | 'name'>): string =>
  `${kind} ${name}`;

export const valuesFrom = (values: Iterable<Value>): Values => {
  const known = new Map<string, Value>();
  for (const value of values) if (value.value !== null) known.set(keyOfValue(value), value);
  return known;
};

/** In the order of what was, and of what came behind it. */
export function differences(before: Values, after: Values): readonly Difference[] {
  const found: Difference[] = [];
  for (const [key, { kind, name, value }] of before) {
    const now = after.get(key)?.value ?? null;
    if (now !== value && !isSame(now, value)) found.push({ kind, name, old: value, new: now });
  }
  for (const [key, { kind, name, value }] of after)
    if (!before.has(key)) found.push({ kind, name, old: null, new: value });
  return found;
}

/** The differences from nothing; each value is one of its own. */
export function appeared(values: Iterable<Value>): readonly Difference[] {
  const found: Difference[] = [];
  for (const { kind, name, value } of values)
    if (value !== null) found.push({ kind, name, old: null, new: value });
  return found;
}

/** What follows from what was and the differences: the other way round. */
export function withDifferences(before: Values, found: readonly Difference[]): Values {
  const after = new Map(before);
  for (const { kind, name, new: value } of found)
    if (value === null) after.delete(keyOfValue({ kind, name }));
    else after.set(keyOfValue({ kind, name }), { kind, name, value });
  return after;
}

const isSame = (one: Json, other: Json): boolean =>
  typeof one === 'object' && typeof other === 'object'
    ? JSON.stringify(one) === JSON.stringify(other)
    : false;
