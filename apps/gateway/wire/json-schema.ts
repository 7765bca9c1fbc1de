type TypeName = 'null' | 'string' | 'integer' | 'boolean' | 'array' | 'object';

/** As much of JSON Schema as the API's documents use. */
export interface Schema {
  readonly type?: TypeName | readonly TypeName[];
  readonly description?: string;
  readonly readOnly?: true;
  readonly writeOnly?: true;
  readonly is_base?: false;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly enum?: readonly (string | null)[];
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
}

/** What is wrong with a value, in words for the client; undefined when nothing is. Looks no deeper than array items. */
export function violation(schema: Schema, value: unknown): string | undefined {
  const types = schema.type === undefined ? undefined : [schema.type].flat();
  if (types && !types.some((type) => hasType(type, value)))
    return `${shown(value)} is not of type ${types.map((type) => `'${type}'`).join(', ')}`;
  if (schema.enum && !schema.enum.includes(value as string | null))
    return `${shown(value)} is not one of ${JSON.stringify(schema.enum)}`;
  if (typeof value === 'string') return textViolation(schema, value);
  const { items } = schema;
  if (!items || !Array.isArray(value)) return undefined;
  for (const item of value) {
    const found = violation(items, item);
    if (found) return found;
  }
  return undefined;
}

function textViolation(schema: Schema, text: string): string | undefined {
  if (schema.maxLength !== undefined && lengthOf(text) > schema.maxLength)
    return `${shown(text)} is too long: at most ${schema.maxLength} characters`;
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(text))
    return `${shown(text)} does not match '${schema.pattern}'`;
  return undefined;
}

/** Characters as the original counts them: code points. */
export const lengthOf = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

function hasType(type: TypeName, value: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
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
