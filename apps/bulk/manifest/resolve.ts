import { createHash } from 'node:crypto';
import { v5 } from 'uuid';
import type { BulkExpectation, BulkItem, BulkSource } from '../../../domain/bulk/events.ts';
import type { Caller } from '../../../domain/image/access.ts';
import type { Attributes } from '../../../domain/image/attributes.ts';
import { digestLengths } from '../../../domain/image/validation.ts';
import { Refused } from '../../../domain/refused.ts';
import { HttpError } from '../../gateway/http-error.ts';
import { isBaseField } from '../../gateway/wire/base-properties.ts';
import { creationFrom } from '../../gateway/wire/create.ts';
import { isWritableField, writableFields } from '../../gateway/wire/fields.ts';
import type { ImageSchema } from '../../gateway/wire/image-schema.ts';
import { ManifestRefused, type Problem } from './problems.ts';
import type { ReadManifest } from './read.ts';
import type { Manifest, ManifestImage } from './schema.ts';

/** What manifests are read against. */
export interface Surroundings {
  readonly caller: Caller;
  readonly schema: ImageSchema;
  readonly stores: { readonly defaultId: string; readonly writable: readonly string[] };
  /** Throws `HttpError` for what may not be fetched, as far as the URL alone tells. */
  admitUrl(field: string, uri: string): void;
}

/** Namespace of the ids of images that are named by what they are; fixed for ever. */
const namespace = '0c0f0c1e-6c1b-5b5e-8f43-3d8a2b5f7b19';

/**
 * The items of a manifest, by the rules of the Image API. An image without an id gets one from what it is (owner, name,
 * source, checksum), so that the same manifest again means the same images. Throws `ManifestRefused`.
 */
export async function itemsOf(
  { manifest, lineOf }: ReadManifest,
  surroundings: Surroundings,
): Promise<readonly BulkItem[]> {
  const problems: Problem[] = [];
  const items: BulkItem[] = [];
  const places = new Map<string, number>();
  for (const [index, image] of manifest.images.entries()) {
    if (index % 500 === 499) await new Promise((resolve) => setImmediate(resolve));
    const problem = (field: string | undefined, message: string): void =>
      void problems.push({
        image: index + 1,
        field: field ?? null,
        line: lineOf(index, field),
        message,
      });
    try {
      const item = itemOf(withDefaults(image, manifest.defaults), surroundings);
      const before = places.get(item.imageId);
      if (before === undefined) places.set(item.imageId, index);
      else problem(image.id === undefined ? undefined : 'id', `is the same as image ${before + 1}`);
      items.push(item);
    } catch (error) {
      if (error instanceof FieldRefused) problem(error.field, error.message);
      else if (error instanceof HttpError) problem(undefined, error.message);
      else if (error instanceof Refused && error.rule === undefined)
        problem(undefined, error.message);
      else throw error;
    }
  }
  if (problems.length > 0) throw new ManifestRefused(problems);
  return items;
}

/** SHA-256 of the items, hex. */
export const digestOf = (items: readonly BulkItem[]): string => {
  const hash = createHash('sha256');
  for (const item of items) hash.update(JSON.stringify(item)).update('\n');
  return hash.digest('hex');
};

class FieldRefused extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

const withDefaults = (image: ManifestImage, defaults: Manifest['defaults']): ManifestImage =>
  defaults === undefined
    ? image
    : { ...defaults, ...image, properties: { ...defaults.properties, ...image.properties } };

function itemOf(image: ManifestImage, surroundings: Surroundings): BulkItem {
  const { caller, schema, stores } = surroundings;
  const source = sourceOf(image, surroundings);
  const { checksum_url: sums = null, size = null, members = [] } = image;
  if (sums !== null) admitted('checksum_url', sums, surroundings);
  const digests = digestsOf(image.checksum);
  const document = documentOf(image);
  const { imageId: given, attributes } = creationFrom(document, caller, schema);
  if (members.length > 0 && attributes.visibility !== 'shared')
    throw new FieldRefused('members', 'only shared images have members');
  const unknown = image.stores?.find((store) => !stores.writable.includes(store));
  if (unknown !== undefined)
    throw new FieldRefused('stores', `no store that can be written is named ${unknown}`);
  const expected: BulkExpectation | null =
    image.checksum === undefined && sums === null && size === null ? null : { digests, size, sums };
  return {
    imageId: given ?? idOf(attributes, source, digests),
    isIdGiven: given !== undefined,
    attributes,
    named: namedIn(image),
    source,
    expected,
    stores: [...new Set(image.stores ?? [stores.defaultId])],
    allStoresMustSucceed: image.all_stores_must_succeed ?? true,
    members: [...new Set(members)],
  };
}

function sourceOf({ source }: ManifestImage, surroundings: Surroundings): BulkSource {
  const [, label] = /^upload:(.+)$/s.exec(source) ?? [];
  if (label !== undefined) return { kind: 'client', label };
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(source))
    throw new FieldRefused(
      'source',
      'is a path of some machine: `daguerre import`, called there, uploads such files',
    );
  admitted('source', source, surroundings);
  return { kind: 'url', uri: source };
}

function admitted(field: string, uri: string, { admitUrl }: Surroundings): void {
  try {
    admitUrl(field, uri);
  } catch (error) {
    if (error instanceof HttpError) throw new FieldRefused(field, error.message);
    throw error;
  }
}

function digestsOf(checksum: string | undefined): Readonly<Record<string, string>> {
  if (checksum === undefined) return {};
  const hex = checksum.slice(checksum.indexOf(':') + 1).toLowerCase();
  const [algorithm = ''] =
    Object.entries(digestLengths).find(([, length]) => length === hex.length) ?? [];
  return { [algorithm]: hex };
}

/** The document by which the Image API would be asked for it. */
function documentOf(image: ManifestImage): object {
  const properties: Readonly<Record<string, string>> = image.properties ?? {};
  const field = Object.keys(properties).find(isBaseField);
  if (field !== undefined)
    throw new FieldRefused(`properties.${field}`, 'is the name of a field, not of a property');
  const { id, container_format = 'bare', disk_format = formatOf(image.source) } = image;
  const fields = Object.entries(image).filter(([name]) => isWritableField(name));
  return Object.fromEntries([
    ...Object.entries(properties),
    ...fields,
    ['container_format', container_format],
    ['disk_format', disk_format],
    ...(id === undefined ? [] : [['id', id]]),
  ]);
}

const endings: Readonly<Record<string, string>> = {
  qcow2: 'qcow2',
  raw: 'raw',
  vmdk: 'vmdk',
  vhd: 'vhd',
  vhdx: 'vhdx',
  vdi: 'vdi',
  iso: 'iso',
};

function formatOf(source: string): string {
  const [path = ''] = source.split(/[?#]/);
  const ending = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  const format = Object.hasOwn(endings, ending) ? endings[ending] : undefined;
  if (format !== undefined) return format;
  throw new FieldRefused('disk_format', 'is missing, and the name of the source does not tell it');
}

const namedIn = (image: ManifestImage): readonly (keyof Attributes)[] => {
  const fields = Object.keys(image).flatMap((name) =>
    isWritableField(name) ? [writableFields[name]] : [],
  );
  return Object.keys(image.properties ?? {}).length > 0 ? [...fields, 'properties'] : fields;
};

const idOf = (
  { owner, name }: Attributes,
  source: BulkSource,
  digests: Readonly<Record<string, string>>,
): string => {
  const from = source.kind === 'url' ? source.uri : source.label;
  return v5(JSON.stringify([owner, name, source.kind, from, digests]), namespace);
};
