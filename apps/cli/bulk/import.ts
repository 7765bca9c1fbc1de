import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import {
  type ManifestFormat,
  manifestFormats,
  type ReadManifest,
  readManifest,
} from '../../bulk/manifest/read.ts';
import { type Manifest, manifestJsonSchema } from '../../bulk/manifest/schema.ts';
import { asksForHelp, type Command, UsageError } from '../command.ts';
import { type Api, apiOf } from './api.ts';
import { type Arguments, argumentsFrom, cloudHelp } from './arguments.ts';
import { cloudFrom } from './cloud.ts';
import type { ImportDocument } from './documents.ts';
import { failuresOf, follow } from './follow.ts';
import { unlessInterrupted } from './interruption.ts';
import { manifestOfGlance, type OtherGlance, passedOn } from './other-glance.ts';
import { reach } from './reach.ts';
import { manifestOfStreams } from './simplestreams.ts';
import { filesNamedIn, manifestOfDirectory, withFiles } from './sources.ts';
import { type OpenSource, onlyNamed, openFile, uploadFiles } from './uploads.ts';

const usage = `Usage: daguerre import MANIFEST | DIRECTORY | SIMPLESTREAMS-INDEX-URL [OPTIONS]
       daguerre import --from-glance URL|CLOUD [--filter NAME=VALUE]... [OPTIONS]
       daguerre import --schema

Imports many images. A MANIFEST is YAML, JSON, NDJSON or CSV (- is standard input, with --format); --schema prints
what can be in it. Files of this machine, which a manifest names by their paths, and those of a DIRECTORY are uploaded
from here; URLs are fetched by the service itself. Done twice is done once.

  --dry-run             say what would happen, image by image
  --no-wait             do not wait for the end; where files are to be uploaded, only until they are
  --cancel              Ctrl-C cancels the import, which goes on otherwise
  --name NAME           what the import is called
  --priority PRIORITY   low, normal or high
  --format FORMAT       ${manifestFormats.join(', ')} (default: by the ending of the name)
  --json                print documents instead of words

Of a simplestreams index (…/streams/v1/index.json):
  --arch ARCH, --release RELEASE, --versions COUNT   only these; of each the newest [1]
Of another Glance:
  --filter NAME=VALUE   as the Image API filters; may be said again
  --keep-owners         leave images to the projects that own them there: for administrators
  --from-token TOKEN    what to ask there with

${cloudHelp}`;

const options = {
  'dry-run': { type: 'boolean' },
  'no-wait': { type: 'boolean' },
  cancel: { type: 'boolean' },
  json: { type: 'boolean' },
  schema: { type: 'boolean' },
  name: { type: 'string' },
  priority: { type: 'string' },
  format: { type: 'string' },
  arch: { type: 'string' },
  release: { type: 'string' },
  versions: { type: 'string' },
  'from-glance': { type: 'string' },
  'from-token': { type: 'string' },
  'keep-owners': { type: 'boolean' },
  filter: { type: 'string', multiple: true },
} as const;

interface Asked {
  readonly manifest: Manifest;
  readonly open: OpenSource;
}

export const importCommand: Command = {
  name: 'import',
  summary:
    'many images at once: of a manifest, a directory, a simplestreams index or another Glance',
  async run(args, environment) {
    if (asksForHelp(args)) return print(usage);
    const given = argumentsFrom(args, options, environment);
    if (given.has('schema')) return print(`${JSON.stringify(manifestJsonSchema, undefined, 2)}\n`);
    const api = apiOf(given.cloud());
    const asked = await unlessInterrupted(askedFor(given, environment));
    if (asked === undefined) return interrupted('Nothing was asked for yet.');
    const { manifest, open } = asked;
    const named = { ...manifest, ...saidOf(given) };
    const body = JSON.stringify(named);
    const request = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body };
    if (given.has('dry-run')) {
      const dry = await api.json<DryRun>('/bulk/v1/imports?dry_run=true', request);
      return print(given.has('json') ? `${JSON.stringify(dry, undefined, 2)}\n` : dryText(dry));
    }
    const accepted = await unlessInterrupted(api.json<ImportDocument>('/bulk/v1/imports', request));
    if (accepted === undefined)
      return interrupted('It was being asked for: daguerre imports list says whether it is there.');
    if (!given.has('json')) print(`import ${accepted.id} of ${accepted.images} images\n`);
    return waitedFor(api, accepted, given, named, open);
  },
};

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

function interrupted(what: string): number {
  process.stderr.write(`\n${what}\n`);
  return 130;
}

const saidOf = (given: Arguments): Partial<Manifest> => {
  const [name, priority] = [given.text('name'), given.text('priority')];
  return {
    ...(name === undefined ? {} : { name }),
    ...(priority === undefined ? {} : { priority: priority as 'low' | 'normal' | 'high' }),
  };
};

async function askedFor(
  given: Arguments,
  environment: Parameters<Command['run']>[1],
): Promise<Asked> {
  const from = given.text('from-glance');
  const [what, ...more] = given.words;
  if ((what === undefined) === (from === undefined) || more.length > 0)
    throw new UsageError(
      'say one manifest, directory or index, or --from-glance; --help tells more',
    );
  if (from !== undefined) return ofGlance(from, given, environment);
  const place = what ?? '';
  if (/^https?:\/\//.test(place)) return { manifest: await ofUrl(place, given), open: openFile };
  const { read, base } = await manifestAt(place, given.text('format'));
  return { manifest: await withFiles(read, base), open: openFile };
}

/** A manifest, or a directory as one, and what its paths are relative to. */
async function manifestAt(
  place: string,
  format: string | undefined,
): Promise<{ readonly read: ReadManifest; readonly base: string }> {
  const isDirectory = place !== '-' && (await kindOf(place)).isDirectory();
  const read = isDirectory
    ? { manifest: await manifestOfDirectory(place), lineOf: () => null }
    : await ofFile(place, format);
  return { read, base: isDirectory || place === '-' ? '.' : dirname(place) };
}

async function kindOf(place: string): Promise<Stats> {
  try {
    return await stat(place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`there is no manifest, and no directory, ${place}`, { cause: error });
  }
}

/** What an import of the manifest or directory at `place` may ask for: its files, as the import names them. */
export async function filesOf(
  place: string,
  format: string | undefined,
): Promise<readonly string[]> {
  const { read, base } = await manifestAt(place, format);
  return filesNamedIn(read.manifest, base);
}

async function ofFile(path: string, format: string | undefined): Promise<ReadManifest> {
  const text = path === '-' ? await standardInput() : await readFile(path, 'utf8');
  return readManifest(text, formatOf(path, format));
}

async function standardInput(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString('utf8');
}

const endings: Readonly<Record<string, ManifestFormat>> = {
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.csv': 'csv',
  '.ndjson': 'ndjson',
  '.jsonl': 'ndjson',
};

function formatOf(path: string, given: string | undefined): ManifestFormat {
  const ending = extname(path).toLowerCase();
  const byName = Object.hasOwn(endings, ending) ? endings[ending] : undefined;
  const format =
    manifestFormats.find((one) => one === given) ?? (given === undefined ? byName : undefined);
  if (format !== undefined) return format;
  throw new UsageError(`say --format ${manifestFormats.join(', ')}`);
}

function ofUrl(url: string, given: Arguments): Promise<Manifest> {
  const versions = Number(given.text('versions') ?? '1');
  if (!Number.isInteger(versions) || versions < 1)
    throw new UsageError('--versions must be a number above 0');
  const filter = { arch: given.text('arch'), release: given.text('release'), versions };
  return manifestOfStreams(url, filter, async (address) => {
    const response = await reach(address, { signal: AbortSignal.timeout(120_000) });
    if (!response.ok) throw new Error(`${address} answers ${response.status}`);
    return response.json().catch((cause) => {
      throw new Error(`${address} is no JSON, as a simplestreams index is`, { cause });
    });
  });
}

async function ofGlance(
  from: string,
  given: Arguments,
  environment: Parameters<Command['run']>[1],
): Promise<Asked> {
  const isUrl = /^https?:\/\//.test(from);
  const token = given.text('from-token');
  const there = isUrl ? { url: from, token } : { osCloud: from };
  const cloud = cloudFrom({ ...there, dataDir: '' }, isUrl ? {} : environment);
  const api = apiOf(cloud);
  const other: OtherGlance = {
    cloud,
    api,
    keepOwners: given.has('keep-owners'),
    filter: given.list('filter'),
    say: (line) => void process.stderr.write(`${line}\n`),
  };
  return {
    manifest: await manifestOfGlance(other),
    async open(label) {
      const id = passedOn(label);
      if (id === undefined) return undefined;
      return async () => (await api.send(`/v2/images/${id}/file`)).body ?? '';
    },
  };
}

interface DryRun {
  readonly items: readonly {
    readonly item: number;
    readonly name: string | null;
    readonly image: string;
    readonly action: string;
    readonly message: string | null;
    readonly changes: readonly string[];
  }[];
}

function dryText({ items }: DryRun): string {
  const lines = items.map(({ item, name, image, action, message, changes }) =>
    `${item + 1}. ${action}  ${name ?? ''}  ${image}  ${message ?? changes.join(', ')}`.trimEnd(),
  );
  const counts = new Map<string, number>();
  for (const { action } of items) counts.set(action, (counts.get(action) ?? 0) + 1);
  const summary = [...counts].map(([action, count]) => `${action} ${count}`).join(', ');
  return `${lines.join('\n')}\n${summary}\n`;
}

/** The exit code: 1 where something failed. */
async function waitedFor(
  api: Api,
  accepted: ImportDocument,
  given: Arguments,
  manifest: Manifest,
  open: OpenSource,
): Promise<number> {
  const { id } = accepted;
  const has = (name: keyof typeof options): boolean => given.has(name);
  const isUploading = manifest.images.some(({ source }) => source.startsWith('upload:'));
  const isWaiting = !has('no-wait') || isUploading;
  if (!isWaiting) {
    if (has('json')) print(`${JSON.stringify(accepted, undefined, 2)}\n`);
    else print(comeBack(id));
    return 0;
  }
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const sources = manifest.images.map(({ source }) => source);
  const named = onlyNamed(sources, open);
  const uploading = isUploading ? uploadFiles(api, id, named, say, stop.signal) : undefined;
  const quiet = { show() {}, end() {} };
  const last = await follow(api, id, stop.signal, ...(has('json') ? [quiet] : []));
  await uploading?.catch((error: Error) => say(error.message));
  process.off('SIGINT', interrupt);
  if (stop.signal.aborted) {
    if (has('cancel')) {
      await api.send(`/bulk/v1/imports/${id}/cancel`, { method: 'POST' });
      print('\ncancelled\n');
    } else print(`\n${comeBack(id)}${isUploading ? uploadAgain(id) : ''}`);
    return 130;
  }
  if (last === undefined) return 1;
  if (has('json')) print(`${JSON.stringify(last, undefined, 2)}\n`);
  else for (const line of await failuresOf(api, last)) print(`${line}\n`);
  return last.status === 'completed' && (last.counts.failed ?? 0) === 0 ? 0 : 1;
}

const comeBack = (id: string): string =>
  `The import goes on. To look again: daguerre imports watch ${id}; to end it: daguerre imports cancel ${id}\n`;
const uploadAgain = (id: string): string =>
  `It waits for files of this machine: daguerre imports upload ${id} MANIFEST\n`;
