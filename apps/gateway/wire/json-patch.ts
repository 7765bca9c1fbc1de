import type { PatchOperation } from '../../../domain/image/commands.ts';
import { Refused } from '../../../domain/refused.ts';
import { HttpError } from '../http-error.ts';
import { checkValue, fieldValue, guardName, isWritableField, writableFields } from './fields.ts';
import type { ImageSchema } from './image-schema.ts';
import { type LocationAsk, locationAsk } from './locations.ts';
import { propertyText } from './property-values.ts';

/** 2.1 is `{op, path, value}`; 2.0 is the older `{add|remove|replace: path, value}`. */
export type PatchVersion = '2.0' | '2.1';

const mediaTypes: ReadonlyMap<string, PatchVersion> = new Map([
  ['application/openstack-images-v2.0-json-patch', '2.0'],
  ['application/openstack-images-v2.1-json-patch', '2.1'],
]);

/** An honest patch changes each of 128 properties and a dozen fields a few times at most. */
const maxOperations = 1024;

/** What is meant, but for locations, which have to be looked at. */
export type AskedOperation = PatchOperation | LocationAsk;

const operationNames = ['add', 'remove', 'replace'] as const;
type OperationName = (typeof operationNames)[number];

/** Which patch a `Content-Type` announces; 415 naming the media types that will do. */
export function patchVersion(contentType: string | undefined): PatchVersion {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const version = mediaTypes.get(type);
  if (version === undefined)
    throw new HttpError(415, `Unsupported media type for a patch: ${type || 'none'}.`, {
      headers: { 'Accept-Patch': [...mediaTypes.keys()].join(', ') },
    });
  return version;
}

/** The operations of a patch document, after the checks of the reference, section 7.2, in its order. */
export function patchFrom(
  document: unknown,
  version: PatchVersion,
  schema: ImageSchema,
): readonly AskedOperation[] {
  if (!Array.isArray(document))
    throw new HttpError(400, 'Request body must be a JSON array of operation objects.');
  if (document.length > maxOperations)
    throw new HttpError(413, `A patch can have at most ${maxOperations} operations.`);
  return document.map((element) => operationFrom(element, version, schema));
}

function operationFrom(
  element: unknown,
  version: PatchVersion,
  schema: ImageSchema,
): AskedOperation {
  if (typeof element !== 'object' || element === null || Array.isArray(element))
    throw new HttpError(400, 'Operations must be JSON objects.');
  const given = element as Readonly<Record<string, unknown>>;
  const name = operationName(given, version);
  const pointer = version === '2.1' ? given.path : given[name];
  const { root, element: place } = targetOf(pointer, name);
  if (name !== 'remove' && !Object.hasOwn(given, 'value'))
    throw new HttpError(400, `Operation "${name}" requires a member named "value".`);
  guardName(root);
  if (name !== 'remove')
    checkValue(schema, root, place === undefined ? given.value : [given.value]);
  if (root === 'locations') return locationAsk(name, place, given.value);
  return meant(name, root, given.value, version);
}

function meant(
  name: OperationName,
  root: string,
  value: unknown,
  version: PatchVersion,
): PatchOperation {
  if (isWritableField(root)) {
    if (name === 'remove') throw new Refused('field-fixed', `Property ${root} may not be removed.`);
    return { kind: 'set', field: writableFields[root], value: fieldValue(root, value) };
  }
  if (name === 'remove') return { kind: 'remove-property', property: root };
  const property = { property: root, value: propertyText(value) };
  return name === 'replace'
    ? { kind: 'replace-property', ...property }
    : { kind: 'add-property', ...property, overwrite: version === '2.1' };
}

function operationName(
  given: Readonly<Record<string, unknown>>,
  version: PatchVersion,
): OperationName {
  if (version === '2.1') {
    const name = operationNames.find((known) => known === given.op);
    if (name !== undefined) return name;
    throw new HttpError(
      400,
      `Operations must name one of the following as "op": ${operationNames.join(', ')}.`,
    );
  }
  const named = operationNames.filter((known) => Object.hasOwn(given, known));
  if (named.length === 1 && named[0] !== undefined) return named[0];
  throw new HttpError(
    400,
    `Operations must contain exactly one of the following: ${operationNames.join(', ')}.`,
  );
}

/** The field or property that a pointer names. Only locations have a second level. */
function targetOf(
  pointer: unknown,
  name: OperationName,
): { readonly root: string; readonly element: string | undefined } {
  if (typeof pointer !== 'string')
    throw new HttpError(400, `Unable to find a path in the "${name}" operation.`);
  const [empty, ...segments] = pointer.split('/').map((segment) => segment.trim());
  if (empty !== '' || !pointer.startsWith('/') || segments.length === 0 || segments.includes(''))
    throw new HttpError(400, `Pointer ${JSON.stringify(pointer)} is not valid.`);
  if (/~(?![01])/.test(pointer))
    throw new HttpError(
      400,
      `Pointer ${JSON.stringify(pointer)} contains "~" not part of a recognized escape sequence.`,
    );
  const [root = '', index] = segments.map((segment) =>
    segment.replaceAll('~1', '/').replaceAll('~0', '~').trim(),
  );
  const isElement =
    root === 'locations' &&
    segments.length === 2 &&
    name !== 'replace' &&
    /^(\d+|-)$/.test(index ?? '');
  if (root === '' || (segments.length > 1 && !isElement))
    throw new HttpError(400, `Invalid JSON pointer for this resource: ${JSON.stringify(pointer)}.`);
  // Upstream lets nobody add or remove the whole list.
  if (root === 'locations' && !isElement && name !== 'replace')
    throw new HttpError(400, `Invalid JSON pointer for this resource: ${JSON.stringify(pointer)}.`);
  return { root, element: isElement ? index : undefined };
}
