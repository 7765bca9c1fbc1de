import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { basename, extname, join, relative, resolve } from 'node:path';
import { ManifestRefused, type Problem } from '../../bulk/manifest/problems.ts';
import type { ReadManifest } from '../../bulk/manifest/read.ts';
import type { Manifest, ManifestImage } from '../../bulk/manifest/schema.ts';

const formats: Readonly<Record<string, string>> = {
  '.qcow2': 'qcow2',
  '.raw': 'raw',
  '.vmdk': 'vmdk',
  '.vhd': 'vhd',
  '.vhdx': 'vhdx',
  '.vdi': 'vdi',
  '.iso': 'iso',
};

/** Endings of files whose format their first bytes tell. */
const anyFormat = new Set(['.img', '.qcow', '.disk']);

const isPath = (source: string): boolean =>
  !/^[a-z][a-z0-9+.-]*:\/\//i.test(source) && !source.startsWith('upload:');

/** Files are uploaded by us: each becomes one that the import waits for, with the size and the digest that it has now. */
export async function withFiles(
  { manifest, lineOf }: ReadManifest,
  base: string,
): Promise<Manifest> {
  const images: ManifestImage[] = [];
  const problems: Problem[] = [];
  for (const [index, { source }] of manifest.images.entries()) {
    const message = isPath(source) ? await problemOf(resolve(base, source)) : undefined;
    if (message !== undefined)
      problems.push({ image: index + 1, field: 'source', line: lineOf(index, 'source'), message });
  }
  if (problems.length > 0) throw new ManifestRefused(problems);
  for (const image of manifest.images) {
    if (!isPath(image.source)) {
      images.push(image);
      continue;
    }
    const path = resolve(base, image.source);
    const { size } = await stat(path);
    const { checksum = `sha512:${await sha512Of(path)}` } = image;
    const format = image.disk_format ?? manifest.defaults?.disk_format;
    images.push({
      ...image,
      name: image.name ?? basename(path, extname(path)),
      disk_format: format ?? (await formatOf(path)),
      source: `upload:${path}`,
      size,
      checksum,
    });
  }
  return { ...manifest, images };
}

/** Why there is no file to be read; undefined where there is one. */
async function problemOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.R_OK);
    return (await stat(path)).isFile() ? undefined : `${path} is no file`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no file ${path}`;
    return code === 'EACCES' ? `${path} may not be read` : message;
  }
}

/** The files that a manifest names, as an import that waits for them names them. */
export const filesNamedIn = ({ images }: Manifest, base: string): readonly string[] =>
  images.flatMap(({ source }) => (isPath(source) ? [`upload:${resolve(base, source)}`] : []));

/** The images of a directory tree, each by its path in it. */
export async function manifestOfDirectory(directory: string): Promise<Manifest> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      const ending = extname(path).toLowerCase();
      return Object.hasOwn(formats, ending) || anyFormat.has(ending);
    })
    .sort();
  if (paths.length === 0) throw new Error(`there are no images in ${directory}`);
  const images = paths.map((path) => {
    const within = relative(directory, path);
    return { name: within.slice(0, -extname(within).length), source: path };
  });
  return { images };
}

async function sha512Of(path: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

/** By what the file is called; where that does not tell, by its first bytes. */
async function formatOf(path: string): Promise<string> {
  const ending = extname(path).toLowerCase();
  const known = Object.hasOwn(formats, ending) ? formats[ending] : undefined;
  if (known !== undefined) return known;
  const head: Uint8Array[] = [];
  for await (const chunk of createReadStream(path, { end: 4 })) head.push(chunk as Uint8Array);
  return Buffer.concat(head).toString('latin1').startsWith('QFI\u00fb') ? 'qcow2' : 'raw';
}
