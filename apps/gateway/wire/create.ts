import type { Caller } from '../../../domain/image/access.ts';
import type { AttributeField, Attributes } from '../../../domain/image/attributes.ts';
import { Refused } from '../../../domain/refused.ts';
import { HttpError } from '../http-error.ts';
import { checkValue, fieldValue, guardName, isWritableField, writableFields } from './fields.ts';
import { type ImageSchema, isUuid } from './image-schema.ts';
import { propertyText } from './property-values.ts';

export interface Creation {
  /** Lower case; undefined when the server is to make one. */
  readonly imageId: string | undefined;
  readonly attributes: Attributes;
}

/** The document of `POST /v2/images` (reference, section 6.1): every value is checked before any name is refused. */
export function creationFrom(document: unknown, caller: Caller, schema: ImageSchema): Creation {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new HttpError(400, "Provided object does not match schema 'image': not an object");
  const entries = Object.entries(document);
  for (const [name, value] of entries) checkValue(schema, name, value);
  const missing = schema.required.find((name) => !Object.hasOwn(document, name));
  if (missing !== undefined)
    throw new HttpError(
      400,
      `Provided object does not match schema 'image': '${missing}' is a required property`,
    );
  for (const [name] of entries) if (name !== 'id') guardName(name);
  if (Object.hasOwn(document, 'locations'))
    throw new Refused('field-fixed', "Attribute 'locations' is reserved.");
  const fields = entries.flatMap(([name, value]): readonly [AttributeField, unknown][] =>
    isWritableField(name) ? [[writableFields[name], fieldValue(name, value)]] : [],
  );
  const properties = entries
    .filter(([name]) => name !== 'id' && !isWritableField(name))
    .map(([name, value]) => [name, propertyText(value)] as const);
  const id = 'id' in document ? String(document.id) : undefined;
  if (id !== undefined && !isUuid(id)) throw new HttpError(400, `${JSON.stringify(id)} is no UUID`);
  return {
    imageId: id?.toLowerCase(),
    attributes: {
      ...defaults(caller),
      ...Object.fromEntries(fields),
      properties: Object.fromEntries(properties),
    },
  };
}

const defaults = (caller: Caller): Attributes => ({
  name: null,
  owner: caller.projectId,
  visibility: 'shared',
  protected: false,
  hidden: false,
  diskFormat: null,
  containerFormat: null,
  minDisk: 0,
  minRam: 0,
  tags: [],
  properties: {},
});
