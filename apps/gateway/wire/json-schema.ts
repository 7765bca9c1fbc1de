import { searchFor } from '../../../domain/patterns/search.ts';

export const typeNames = [
  'null',
  'string',
  'integer',
  'number',
  'boolean',
  'array',
  'object',
] as const;
export type TypeName = (typeof typeNames)[number];

/** As much of JSON Schema as the API's documents use, and as operators may use for properties of their own. */
export interface Schema {
  readonly type?: TypeName | readonly TypeName[];
  readonly description?: string;
  readonly readOnly?: boolean;
  readonly writeOnly?: boolean;
  readonly is_base?: false;
  readonly enum?: readonly unknown[];
  /** In the language of Python's `re`, as the original has it. */
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
}

/** Says what is wrong with a value, in words for the client; undefined when nothing is. */
export type Check = (value: unknown) => string | undefined;

/** What a schema asks of a value. Throws `BadPattern`. */
export function checkOf(schema: Schema): Check {
  const types = schema.type === undefined ? undefined : typesOf(schema);
  const allowed = schema.enum?.map((value) => JSON.stringify(value));
  const checks: Readonly<Record<'string' | 'number' | 'array' | 'object', Check>> = {
    string: textCheck(schema),
    number: numberCheck(schema),
    array: arrayCheck(schema),
    object: objectCheck(schema),
  };
  return (value) => {
    if (types && !types.some((type) => hasType(type, value)))
      return `${shown(value)} is not of type ${types.map((type) => `'${type}'`).join(', ')}`;
    if (allowed && !allowed.includes(JSON.stringify(value)))
      return `${shown(value)} is not one of [${allowed.join(', ')}]`;
    if (Array.isArray(value)) return checks.array(value);
    if (typeof value === 'string') return checks.string(value);
    if (typeof value === 'number') return checks.number(value);
    return typeof value === 'object' && value !== null ? checks.object(value) : undefined;
  };
}

export const typesOf = ({ type = [] }: Schema): readonly TypeName[] =>
  typeof type === 'string' ? [type] : type;

function textCheck({ minLength = 0, maxLength, pattern }: Schema): Check {
  const matches = pattern === undefined ? undefined : searchFor(pattern);
  return (value) => {
    const text = String(value);
    if (maxLength !== undefined && lengthOf(text) > maxLength)
      return `${shown(text)} is too long: at most ${maxLength} characters`;
    if (lengthOf(text) < minLength)
      return `${shown(text)} is too short: at least ${minLength} characters`;
    return matches?.(text) === false ? `${shown(text)} does not match '${pattern}'` : undefined;
  };
}

function numberCheck({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): Check {
  const bounds = [
    [minimum, (value: number, bound: number) => value >= bound, 'less than the minimum of'],
    [maximum, (value: number, bound: number) => value <= bound, 'greater than the maximum of'],
    [exclusiveMinimum, (value: number, bound: number) => value > bound, 'not greater than'],
    [exclusiveMaximum, (value: number, bound: number) => value < bound, 'not less than'],
  ] as const;
  return (value) => {
    for (const [bound, holds, words] of bounds)
      if (bound !== undefined && !holds(Number(value), bound))
        return `${shown(value)} is ${words} ${bound}`;
    return undefined;
  };
}

function arrayCheck({ items, minItems = 0, maxItems, uniqueItems }: Schema): Check {
  const check = items === undefined ? undefined : checkOf(items);
  return (value) => {
    const array = value as readonly unknown[];
    if (array.length < minItems) return `a list is too short: at least ${minItems} items`;
    if (maxItems !== undefined && array.length > maxItems)
      return `a list is too long: at most ${maxItems} items`;
    if (uniqueItems && new Set(array.map((item) => JSON.stringify(item))).size < array.length)
      return 'a list has the same item twice';
    return check && firstOf(array, check);
  };
}

function objectCheck({ properties = {}, required = [], additionalProperties }: Schema): Check {
  const checks = new Map(
    Object.entries(properties).map(([name, schema]) => [name, checkOf(schema)] as const),
  );
  const others =
    typeof additionalProperties === 'object' ? checkOf(additionalProperties) : undefined;
  return (value) => {
    const object = value as object;
    const missing = required.find((name) => !Object.hasOwn(object, name));
    if (missing !== undefined) return `'${missing}' is a required property`;
    return firstOf(Object.entries(object), ([name, own]) => {
      const check = checks.get(name);
      if (check === undefined && additionalProperties === false)
        return `${shown(name)} is no property of it`;
      return (check ?? others)?.(own);
    });
  };
}

function firstOf<Item>(
  items: readonly Item[],
  check: (item: Item) => string | undefined,
): string | undefined {
  for (const item of items) {
    const found = check(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Characters as the original counts them: code points. */
export const lengthOf = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

export function hasType(type: TypeName, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'a nested value'; // may be nested beyond any stack
  const text = JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
