import type { JsonObject } from '../../../domain/json.ts';
import {
  type Definition,
  maxNameLength,
  type NamespaceAttributes,
  type NamespaceContent,
} from '../../../domain/metadef/content.ts';
import { Refused } from '../../../domain/refused.ts';
import { HttpError } from '../http-error.ts';
import { lengthOf } from './json-schema.ts';
import { requestSchemas } from './metadef-request-schemas.ts';
import { definitionViolation } from './metadef-violation.ts';
import { checkPlain } from './plain-json.ts';

/** Only the server writes these (reference, section 19). */
const readOnly = ['created_at', 'updated_at', 'self', 'schema'] as const;

type Requests = typeof requestSchemas;

/** 400 for what does not match its schema or cannot be stored, 403 for what only the server writes. */
function checked(kind: keyof Requests, document: unknown): JsonObject {
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw mismatch(kind, 'not an object');
  for (const name of readOnly)
    if (Object.hasOwn(document, name))
      throw new Refused('field-fixed', `Attribute '${name}' is read-only.`);
  checkPlain(document);
  const found = definitionViolation(requestSchemas[kind], document);
  if (found) throw mismatch(kind, found);
  return document as JsonObject;
}

const mismatch = (kind: keyof Requests, reason: string): HttpError =>
  new HttpError(
    400,
    `Provided object does not match schema '${requestSchemas[kind].name}': ${reason}`,
  );

export const propertyFrom = (document: unknown): Definition =>
  checked('property', document) as Definition;

export const objectFrom = (document: unknown): Definition => {
  const object = checked('object', document) as Definition;
  checkNames(object.properties);
  return object;
};

export const tagFrom = (document: unknown): Definition => checked('tag', document) as Definition;

export const associationFrom = (document: unknown): Definition =>
  checked('association', document) as Definition;

export const tagsFrom = (document: unknown): readonly string[] =>
  (checked('tags', document).tags as readonly Definition[]).map(({ name }) => name);

/** A whole namespace; what is not said is as a new one has it. */
export function namespaceFrom(document: unknown, ownProject: string | null): NamespaceContent {
  const given = checked('namespace', document);
  const objects = listed(given.objects);
  checkNames(given.properties);
  for (const object of objects) checkNames(object.properties);
  return {
    attributes: attributesFrom(given, ownProject),
    definitions: {
      association: listed(given.resource_type_associations),
      property: Object.entries((given.properties ?? {}) as JsonObject).map(
        ([name, definition]): Definition => ({ ...(definition as JsonObject), name }),
      ),
      object: objects,
      tag: listed(given.tags),
    },
  };
}

const attributesFrom = (given: JsonObject, ownProject: string | null): NamespaceAttributes => ({
  namespace: given.namespace as string,
  displayName: (given.display_name ?? null) as string | null,
  description: (given.description ?? null) as string | null,
  visibility: (given.visibility ?? 'private') as NamespaceAttributes['visibility'],
  protected: given.protected === true,
  owner: ((given.owner || ownProject) ?? null) as string | null,
});

/** Nested things as they came, without what the server wrote of them. */
const listed = (list: unknown): readonly Definition[] =>
  ((list ?? []) as readonly Definition[]).map(
    (definition) =>
      Object.fromEntries(
        Object.entries(definition).filter(([name]) => !readOnly.some((one) => one === name)),
      ) as Definition,
  );

function checkNames(properties: unknown): void {
  for (const name of Object.keys((properties ?? {}) as JsonObject))
    if (name === '' || lengthOf(name) > maxNameLength)
      throw new HttpError(
        400,
        `The name of a property must have 1 to ${maxNameLength} characters, not ${lengthOf(name)}.`,
      );
}
