import { z } from 'zod';
import { BadPattern } from '../../../domain/patterns/pattern.ts';
import { isBaseField } from './base-properties.ts';
import { isGivable, maxPropertyNameLength } from './fields.ts';
import type { OperatorSchema } from './image-schema.ts';
import { checkOf, lengthOf, type Schema, typeNames } from './json-schema.ts';
import { stockProperties } from './stock-properties.ts';

/** Without an operator's `schema-image.json`. */
export const stockSchema: OperatorSchema = { properties: stockProperties, required: [] };

/** A file that cannot be used. Each problem names the property and keyword that it is in. */
export class SchemaRefused extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the property schema has ${problems.length} problem(s):\n${problems.join('\n')}`);
    this.name = 'SchemaRefused';
    this.problems = problems;
  }
}

const count = z.number().int().min(0);
const typeName = z.enum(typeNames);

/** Keywords that would not be heeded are refused: nobody should believe them to be. */
const propertySchema = z.strictObject({
  type: z.union([typeName, z.array(typeName).min(1)]).optional(),
  enum: z.array(z.json()).min(1).optional(),
  pattern: z.string().optional(),
  minLength: count.optional(),
  maxLength: count.optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  exclusiveMaximum: z.number().optional(),
  get items() {
    return propertySchema.optional();
  },
  minItems: count.optional(),
  maxItems: count.optional(),
  uniqueItems: z.boolean().optional(),
  required: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), propertySchema).optional();
  },
  get additionalProperties() {
    return z.union([z.boolean(), propertySchema]).optional();
  },
  // Words about the property, for readers.
  title: z.string().optional(),
  description: z.string().optional(),
  default: z.json().optional(),
  examples: z.array(z.json()).optional(),
  format: z.string().optional(),
  operators: z.array(z.string()).optional(),
  readOnly: z.boolean().optional(),
  writeOnly: z.boolean().optional(),
  is_base: z.boolean().optional(),
  $comment: z.string().optional(),
});

const flat = z.record(z.string(), propertySchema);
const extended = z.strictObject({
  properties: flat,
  required: z.array(z.string()).nullish(),
});

/**
 * Reads either form of the original's file: properties by name, or `{"properties": …, "required": […]}`. A property without
 * a type is text, as custom properties are. Throws `SchemaRefused` with every problem at once.
 */
export function operatorSchemaFrom(document: unknown): OperatorSchema {
  const isExtended =
    typeof document === 'object' && document !== null && Object.hasOwn(document, 'properties');
  const parsed = (
    isExtended ? extended : flat.transform((properties) => ({ properties, required: [] }))
  ).safeParse(document);
  if (!parsed.success)
    throw new SchemaRefused(
      parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`),
    );
  const properties: [string, Schema][] = Object.entries(parsed.data.properties).map(
    ([name, schema]) => [name, { type: 'string', ...schema } as Schema],
  );
  const required = parsed.data.required ?? [];
  const problems = [
    ...properties.flatMap(([name, schema]) => problemsWith(name, schema)),
    ...required
      .filter((name) => !isGivable(name))
      .map((name) => `required: ${name} cannot be given by a client`),
  ];
  if (problems.length > 0) throw new SchemaRefused(problems);
  return { properties: Object.fromEntries(properties), required };
}

function problemsWith(name: string, schema: Schema): readonly string[] {
  if (isBaseField(name)) return [`${name}: is a field of every image already`];
  if (!isGivable(name)) return [`${name}: is a name that the server keeps for itself`];
  if (lengthOf(name) > maxPropertyNameLength)
    return [`${name}: is longer than ${maxPropertyNameLength} characters`];
  try {
    checkOf(schema);
    return [];
  } catch (error) {
    if (!(error instanceof BadPattern)) throw error;
    return [`${name}: pattern ${error.message}`];
  }
}
