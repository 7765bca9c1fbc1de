import { lengthOf } from './json-schema.ts';
import { baseDefinitions, type DefinitionSchema } from './metadef-schemas.ts';

/** What is wrong with a value, and where, in words for the client; undefined when nothing is. Goes no deeper than the schema. */
export function definitionViolation(
  schema: DefinitionSchema,
  value: unknown,
  where = '',
): string | undefined {
  const at = where === '' ? '' : ` at ${where}`;
  if (schema.$ref !== undefined) {
    const referred = baseDefinitions[schema.$ref.replace('#/definitions/', '')];
    return referred && definitionViolation(referred, value, where);
  }
  for (const part of schema.allOf ?? []) {
    const found = definitionViolation(part, value, where);
    if (found) return found;
  }
  if (typeof schema.type === 'string' && !hasType(schema.type, value))
    return `${shown(value)}${at} is not of type '${schema.type}'`;
  if (schema.enum && !schema.enum.includes(value as string))
    return `${shown(value)}${at} is not one of ${JSON.stringify(schema.enum)}`;
  if (typeof value === 'string') return textViolation(schema, value, at);
  if (typeof value === 'number' && schema.minimum !== undefined && value < schema.minimum)
    return `${value}${at} is less than the minimum of ${schema.minimum}`;
  if (Array.isArray(value)) return listViolation(schema, value, where);
  if (isRecord(value)) return recordViolation(schema, value, where);
  return undefined;
}

function textViolation(schema: DefinitionSchema, text: string, at: string): string | undefined {
  const length = lengthOf(text);
  if (length > (schema.maxLength ?? length))
    return `${shown(text)}${at} is too long: at most ${schema.maxLength} characters`;
  if (length < (schema.minLength ?? 0)) return `${shown(text)}${at} is too short`;
  return undefined;
}

function listViolation(
  schema: DefinitionSchema,
  list: readonly unknown[],
  where: string,
): string | undefined {
  if (schema.uniqueItems && new Set(list).size !== list.length)
    return `the items${where === '' ? '' : ` at ${where}`} are not all different`;
  const { items } = schema;
  if (items === undefined) return undefined;
  for (const [index, item] of list.entries()) {
    const found = definitionViolation(items, item, `${where}/${index}`);
    if (found) return found;
  }
  return undefined;
}

function recordViolation(
  schema: DefinitionSchema,
  record: Readonly<Record<string, unknown>>,
  where: string,
): string | undefined {
  const at = where === '' ? '' : ` at ${where}`;
  const missing = schema.required?.find((name) => !Object.hasOwn(record, name));
  if (missing !== undefined) return `'${missing}' is a required property${at}`;
  const { properties = {}, additionalProperties: others = true } = schema;
  for (const [name, value] of Object.entries(record)) {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (own === undefined && others === false)
      return `Additional properties are not allowed${at} (${shown(name)} was unexpected)`;
    const expected = own ?? (typeof others === 'object' ? others : undefined);
    const found = expected && definitionViolation(expected, value, `${where}/${name}`);
    if (found) return found;
  }
  return undefined;
}

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isRecord(value);
    default:
      return typeof value === type;
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'a nested value';
  const text = JSON.stringify(value) ?? '';
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
