import { asksForHelp, type Command, UsageError } from '../command.ts';
import { type Api, apiOf } from './api.ts';
import { type Arguments, argumentsFrom, cloudHelp } from './arguments.ts';
import { type ImportDocument, type ItemDocument, nameOf, settledOf } from './documents.ts';
import { failuresOf, follow } from './follow.ts';
import { filesOf } from './import.ts';
import { onlyNamed, openFile, uploadFiles } from './uploads.ts';
import { sizeText } from './view.ts';

const usage = `Usage: daguerre imports list [--status STATUS] [--all]
       daguerre imports show | watch ID
       daguerre imports items ID [--status STATUS]
       daguerre imports pause | resume | cancel | retry ID
       daguerre imports priority ID low | normal | high
       daguerre imports upload ID MANIFEST | DIRECTORY [--format FORMAT]
       daguerre imports report ID [--csv]

Bulk imports: what they are doing, and what became of them. upload sends files of this
machine that one waits for: those that the manifest names, or that lie in the directory.
Statuses of imports: running, paused, completed, cancelled ...; of items: pending, fetching, ingesting, done, skipped,
updated, failed, cancelled.

  --json                print documents instead of words

${cloudHelp}`;

const options = {
  json: { type: 'boolean' },
  csv: { type: 'boolean' },
  all: { type: 'boolean' },
  status: { type: 'string' },
  format: { type: 'string' },
} as const;

type Verb = (api: Api, given: Arguments) => Promise<number>;

const path = '/bulk/v1/imports';

export const importsCommand: Command = {
  name: 'imports',
  summary: 'imports of many images: look at them, pause, resume, cancel, try again',
  async run(args, environment) {
    if (asksForHelp(args)) return print(usage);
    const given = argumentsFrom(args, options, environment);
    const name = given.words[0] ?? '';
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb === undefined)
      throw new UsageError(`say ${Object.keys(verbs).join(', ')}; --help tells more`);
    return verb(apiOf(given.cloud()), given);
  },
};

function print(text: string): number {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return 0;
}

const isJson = (given: Arguments): boolean => given.has('json');
const jsonText = (document: unknown): string => JSON.stringify(document, undefined, 2);

const idIn = ({ words }: Arguments): string => {
  const id = words[1];
  if (id === undefined || !/^[0-9a-f-]{36}$/i.test(id))
    throw new UsageError('say which import, by its id');
  return id;
};

const lineOf = (document: ImportDocument): string => {
  const { id, status, name, images, counts, created_at } = document;
  const failed = counts.failed ? `, ${counts.failed} failed` : '';
  return `${id}  ${created_at}  ${status}  ${settledOf(document)}/${images}${failed}  ${name ?? ''}`.trimEnd();
};

const itemLine = (item: ItemDocument): string => {
  const bytes = item.bytes === null ? '' : `  ${sizeText(item.bytes)}`;
  const said = item.message ?? '';
  const waits = said === '' ? '' : `  waits: ${said}`;
  const why = item.reason === null ? waits : `  ${item.reason}: ${said}`;
  return `${item.item + 1}. ${item.status}  ${nameOf(item)}  ${item.image}${bytes}${why}`;
};

/** Every page, one after the other. */
async function all<Entry>(
  api: Api,
  from: string,
  pick: (page: Readonly<Record<string, unknown>>) => readonly Entry[],
  take: (entries: readonly Entry[]) => void,
): Promise<void> {
  for (let marker: string | null = null; ; ) {
    const next: string = marker === null ? from : `${from}&marker=${marker}`;
    const page = await api.json<Readonly<Record<string, unknown>>>(next);
    take(pick(page));
    if (page.next == null) return;
    marker = String(page.next);
  }
}

const statusQuery = (given: Arguments): string => {
  const status = given.text('status');
  return status === undefined ? '' : `&status=${encodeURIComponent(status)}`;
};

const list: Verb = async (api, given) => {
  const show = (found: readonly ImportDocument[]): void => {
    if (found.length === 0 && !isJson(given)) print('there are none');
    else if (found.length > 0)
      print(isJson(given) ? jsonText(found) : found.map(lineOf).join('\n'));
  };
  const from = `${path}?limit=100${statusQuery(given)}`;
  const pick = (page: Readonly<Record<string, unknown>>) =>
    page.imports as readonly ImportDocument[];
  if (given.has('all')) await all(api, from, pick, show);
  else show(pick(await api.json(from)));
  return 0;
};

const show: Verb = async (api, given) => {
  const document = await api.json<ImportDocument>(`${path}/${idIn(given)}`);
  if (isJson(given)) return print(jsonText(document));
  const { in_work: inWork = [], ...rest } = document;
  const lines = [
    lineOf(document),
    `priority ${rest.priority}, attempt ${rest.attempt}, ${sizeText(rest.bytes)}`,
  ];
  const counts = Object.entries(rest.counts).map(([name, count]) => `${name} ${count}`);
  return print(
    [
      ...lines,
      counts.join(', '),
      ...inWork.map(itemLine),
      ...(await failuresOf(api, document)),
    ].join('\n'),
  );
};

const items: Verb = async (api, given) => {
  const from = `${path}/${idIn(given)}/items?limit=500${statusQuery(given)}`;
  const pick = (page: Readonly<Record<string, unknown>>) => page.items as readonly ItemDocument[];
  await all(api, from, pick, (found) => {
    const lines = found.map((item) => (isJson(given) ? JSON.stringify(item) : itemLine(item)));
    if (lines.length > 0) print(lines.join('\n'));
  });
  return 0;
};

const interruptible = async (run: (signal: AbortSignal) => Promise<number>): Promise<number> => {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const code = await run(stop.signal);
  return stop.signal.aborted ? 130 : code;
};

const watch: Verb = (api, given) =>
  interruptible(async (signal) => {
    const last = await follow(api, idIn(given), signal);
    if (last === undefined) return 1;
    if (!signal.aborted) for (const line of await failuresOf(api, last)) print(line);
    return (last.counts.failed ?? 0) === 0 ? 0 : 1;
  });

/** Somebody else may have asked for the import, and named any file: the manifest of whoever is here says which are meant. */
const upload: Verb = async (api, given) => {
  const id = idIn(given);
  const place = given.words[2];
  if (place === undefined) throw new UsageError('say the manifest or directory whose files it is');
  const open = onlyNamed(await filesOf(place, given.text('format')), openFile);
  return interruptible(async (signal) => {
    const say = (line: string): void => void process.stderr.write(`${line}\n`);
    const uploading = uploadFiles(api, id, open, say, signal);
    await follow(api, id, signal);
    await uploading;
    return 0;
  });
};

const changing =
  (what: string): Verb =>
  async (api, given) => {
    const changed = await api.json<ImportDocument>(`${path}/${idIn(given)}/${what}`, {
      method: 'POST',
    });
    return print(isJson(given) ? jsonText(changed) : lineOf(changed));
  };

const priority: Verb = async (api, given) => {
  const wanted = given.words[2];
  if (wanted === undefined) throw new UsageError('say low, normal or high');
  const changed = await api.json<ImportDocument>(`${path}/${idIn(given)}`, {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ priority: wanted }),
  });
  return print(isJson(given) ? jsonText(changed) : lineOf(changed));
};

const report: Verb = async (api, given) => {
  const format = given.has('csv') ? 'csv' : 'json';
  const response = await api.send(`${path}/${idIn(given)}/report?format=${format}`);
  for await (const chunk of response.body ?? []) process.stdout.write(chunk);
  return 0;
};

const verbs: Readonly<Record<string, Verb>> = {
  list,
  show,
  watch,
  items,
  pause: changing('pause'),
  resume: changing('resume'),
  cancel: changing('cancel'),
  retry: changing('retry'),
  priority,
  upload,
  report,
};
