import { type Priority, priorities } from '../../../domain/bulk/events.ts';
import { type ItemQuery, itemStatuses } from '../../../projections/bulk/imports.ts';
import type { ManifestFormat } from '../../bulk/manifest/read.ts';
import { HttpError } from '../http-error.ts';
import { isUuid } from '../wire/image-schema.ts';
import { allOf, lastOf, type Parameters } from '../wire/query-string.ts';

const bulkStatuses = [
  'listing',
  'running',
  'paused',
  'cancelling',
  'completed',
  'cancelled',
  'abandoned',
] as const;

export function knowing(parameters: Parameters, known: readonly string[]): void {
  const unknown = parameters.find(([name]) => !known.includes(name))?.[0];
  if (unknown !== undefined)
    throw new HttpError(
      400,
      `There is no parameter '${unknown}' here. There are: ${known.join(', ') || 'none'}.`,
    );
}

/** What `POST /bulk/v1/imports` asks beside its manifest. */
export function askedRequestFrom(parameters: Parameters) {
  knowing(parameters, ['dry_run', 'name', 'priority']);
  const dryRun = lastOf(parameters, 'dry_run') ?? 'false';
  if (dryRun !== 'true' && dryRun !== 'false')
    throw new HttpError(400, 'The parameter dry_run must be true or false.');
  const name = lastOf(parameters, 'name');
  if (name !== undefined && name.length > 255)
    throw new HttpError(400, 'The parameter name can have at most 255 characters.');
  const priority = lastOf(parameters, 'priority');
  return {
    dryRun: dryRun === 'true',
    name,
    priority: priority === undefined ? undefined : priorityFrom(priority),
  };
}

export function priorityFrom(given: unknown): Priority {
  const found = priorities.find((one) => one === given);
  if (found !== undefined) return found;
  throw new HttpError(400, `priority must be one of ${priorities.join(', ')}.`);
}

/** What `PATCH` of one asks. */
export function askedPriorityFrom(given: unknown): Priority {
  const entries = Object.entries(given as object);
  const [name, value] = entries[0] ?? [];
  if (entries.length !== 1 || name !== 'priority' || Array.isArray(given))
    throw new HttpError(400, 'What can be changed is priority, and nothing else.');
  return priorityFrom(value);
}

export function askedPageFrom(parameters: Parameters, most: number) {
  knowing(parameters, ['project', 'status', 'marker', 'limit']);
  const marker = lastOf(parameters, 'marker');
  if (marker !== undefined && !isUuid(marker))
    throw new HttpError(400, 'The parameter marker must be the id of a bulk import.');
  return {
    project: lastOf(parameters, 'project'),
    statuses: wordsFrom(parameters, 'status', bulkStatuses),
    marker: marker?.toLowerCase(),
    limit: limitFrom(lastOf(parameters, 'limit'), 25, most),
  };
}

export function askedItemsFrom(parameters: Parameters, most: number): ItemQuery {
  knowing(parameters, ['status', 'marker', 'limit']);
  const marker = lastOf(parameters, 'marker');
  if (marker !== undefined && !/^\d{1,9}$/.test(marker))
    throw new HttpError(400, 'The parameter marker must be the place of an item.');
  return {
    statuses: wordsFrom(parameters, 'status', itemStatuses),
    after: marker === undefined ? -1 : Number(marker),
    limit: limitFrom(lastOf(parameters, 'limit'), 100, most),
  };
}

function wordsFrom<Word extends string>(
  parameters: Parameters,
  name: string,
  known: readonly Word[],
): readonly Word[] | undefined {
  const given = allOf(parameters, name).flatMap((value) => value.split(','));
  if (given.length === 0) return undefined;
  return given.map((word) => {
    const found = known.find((one) => one === word);
    if (found !== undefined) return found;
    throw new HttpError(400, `The parameter ${name} can be ${known.join(', ')}, not '${word}'.`);
  });
}

function limitFrom(given: string | undefined, usual: number, most: number): number {
  if (given === undefined) return Math.min(usual, most);
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new HttpError(400, 'The parameter limit must be a number above 0.');
  return Math.min(Number(given), most);
}

const formats: Readonly<Record<string, ManifestFormat>> = {
  '': 'json',
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/x-yaml': 'yaml',
  'text/yaml': 'yaml',
  'text/x-yaml': 'yaml',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
};

/** How the manifest is written, by `Content-Type`; JSON where nothing is said. */
export function formatFrom(contentType: string): ManifestFormat {
  const [type = ''] = contentType.split(';');
  const name = type.trim().toLowerCase();
  const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (format !== undefined) return format;
  const known = ['application/json', 'application/yaml', 'text/csv', 'application/x-ndjson'];
  throw new HttpError(415, `A manifest is ${known.join(', ')}, not ${name}.`);
}
