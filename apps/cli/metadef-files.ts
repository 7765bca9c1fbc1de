import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '../../domain/json.ts';
import {
  type Definition,
  maxNameLength,
  type NamespaceContent,
} from '../../domain/metadef/content.ts';
import { checkPlain } from '../gateway/wire/plain-json.ts';

/** Whom glance-manage gives what it loads to when a file does not say. */
const usualOwner = 'admin';

/** What the files hold for which glance-manage has `db_load_metadefs`: PATH is one, or a directory of `*.json`. */
export async function readNamespaces(path: string): Promise<readonly NamespaceContent[]> {
  const isDirectory = (await stat(path)).isDirectory();
  const files = isDirectory
    ? (await readdir(path))
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => join(path, name))
    : [path];
  if (files.length === 0) throw new Error(`there is no *.json in ${path}`);
  const contents: NamespaceContent[] = [];
  for (const file of files) contents.push(await readNamespace(file)); // one at a time: open files are few
  return contents;
}

async function readNamespace(file: string): Promise<NamespaceContent> {
  try {
    const document: unknown = JSON.parse(await readFile(file, 'utf8'));
    checkPlain(document);
    return contentFrom(document);
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function contentFrom(document: unknown): NamespaceContent {
  if (!isObject(document)) throw new Error('this is no JSON object');
  const { visibility = null } = document;
  if (visibility !== null && visibility !== 'public' && visibility !== 'private')
    throw new Error(`visibility is ${JSON.stringify(visibility)}, not "public" or "private"`);
  return {
    attributes: {
      namespace: nameFrom(document.namespace, 'namespace'),
      displayName: textFrom(document.display_name, 'display_name', maxNameLength),
      description: textFrom(document.description, 'description', 500),
      visibility: visibility ?? 'private',
      protected: document.protected === true,
      owner: textFrom('owner' in document ? document.owner : usualOwner, 'owner', 255),
    },
    definitions: {
      association: listFrom(document.resource_type_associations, 'resource_type_associations'),
      property: Object.entries(objectFrom(document.properties, 'properties')).map(
        ([name, definition]) => ({
          ...given(objectFrom(definition, `properties.${name}`)),
          name: nameFrom(name, 'properties'),
        }),
      ),
      object: listFrom(document.objects, 'objects'),
      tag: listFrom(document.tags, 'tags'),
    },
  };
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function objectFrom(value: unknown, what: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw new Error(`${what} is no object`);
}

function listFrom(value: unknown, what: string): readonly Definition[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${what} is no array`);
  return value.map((item: unknown, index) => {
    const definition = objectFrom(item, `${what}[${index}]`);
    return { ...given(definition), name: nameFrom(definition.name, `${what}[${index}].name`) };
  });
}

/** A null is what glance-manage writes where nothing is. */
const given = (definition: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== null));

function nameFrom(value: unknown, what: string): string {
  const name = textFrom(value, what, maxNameLength);
  if (name === null || name === '') throw new Error(`${what} must have a name`);
  return name;
}

function textFrom(value: unknown, what: string, maxLength: number): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string') throw new Error(`${what} is no text`);
  if ([...value].length > maxLength)
    throw new Error(`${what} is longer than ${maxLength} characters`);
  return value;
}

/** Writes a file per namespace, named for what users see of it, as `db_export_metadefs` does; gives how many. */
export async function writeNamespaces(
  directory: string,
  namespaces: AsyncIterable<NamespaceContent>,
): Promise<number> {
  await mkdir(directory, { recursive: true });
  const used = new Set<string>();
  for await (const content of namespaces) {
    const name = fileName(content, used);
    used.add(name.toLowerCase());
    const text = `${JSON.stringify(documentOf(content), undefined, 4)}\n`;
    await writeFile(join(directory, name), text);
  }
  return used.size;
}

/** Two namespaces may look the same to users: the second gets a number. */
function fileName({ attributes }: NamespaceContent, used: ReadonlySet<string>): string {
  const seen = attributes.displayName ?? attributes.namespace;
  const base = [...seen.replace(/[^\p{L}\p{N}]+/gu, '')].slice(0, 60).join('') || 'namespace';
  for (let number = 1; ; number += 1) {
    const name = `${base}${number === 1 ? '' : `-${number}`}.json`;
    if (!used.has(name.toLowerCase())) return name;
  }
}

const documentOf = ({ attributes, definitions }: NamespaceContent): JsonObject => ({
  namespace: attributes.namespace,
  display_name: attributes.displayName,
  description: attributes.description,
  visibility: attributes.visibility,
  protected: attributes.protected,
  owner: attributes.owner,
  resource_type_associations: definitions.association,
  properties: Object.fromEntries(
    definitions.property.map(({ name, ...definition }) => [name, definition]),
  ),
  objects: definitions.object,
  tags: definitions.tag,
});
