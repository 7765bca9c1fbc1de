import { baseProperties, uuidPattern } from './base-properties.ts';
import { type Check, checkOf, type Schema } from './json-schema.ts';

export const isUuid = (text: string): boolean => new RegExp(uuidPattern).test(text);

/** The properties that an operator declares beside the base fields. */
export interface OperatorSchema {
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

/** What an image can be made of at this site. */
export interface ImageSchema {
  /** Base fields, then the operator's properties. */
  readonly properties: Readonly<Record<string, Schema>>;
  /** Those that clients are told of. */
  readonly told: Readonly<Record<string, Schema>>;
  /** Names that every new image must be given. */
  readonly required: readonly string[];
  /** The schema of one field or property; of any other name that of a custom property. */
  schemaOf(name: string): Schema;
  checkOf(name: string): Check;
}

const customProperty: Schema = { type: 'string' };

/** `is_base` is what clients tell the operator's properties by; `tellsOfStores` is whether they are told of `stores`. */
export function imageSchema({
  diskFormats,
  containerFormats,
  operator,
  tellsOfStores,
}: {
  readonly diskFormats: readonly string[];
  readonly containerFormats: readonly string[];
  readonly operator: OperatorSchema;
  readonly tellsOfStores: boolean;
}): ImageSchema {
  const formats = {
    container_format: { ...baseProperties.container_format, enum: [null, ...containerFormats] },
    disk_format: { ...baseProperties.disk_format, enum: [null, ...diskFormats] },
  };
  const own = Object.entries(operator.properties).map(
    ([name, schema]) => [name, { ...schema, is_base: false }] as const,
  );
  const properties: Readonly<Record<string, Schema>> = Object.fromEntries([
    ...Object.entries({ ...baseProperties, ...formats }),
    ...own,
  ]);
  const checks = new Map(
    Object.entries(properties).map(([name, schema]) => [name, checkOf(schema)] as const),
  );
  const checkCustom = checkOf(customProperty);
  const { stores: _, ...withoutStores } = properties;
  return {
    properties,
    told: tellsOfStores ? properties : withoutStores,
    required: operator.required,
    schemaOf: (name) =>
      (Object.hasOwn(properties, name) ? properties[name] : undefined) ?? customProperty,
    checkOf: (name) => checks.get(name) ?? checkCustom,
  };
}
