import type { Viewer } from '../../../domain/image/visibility.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { type TaskType, taskStatuses, taskTypes } from '../../../domain/task/task.ts';
import { sortKeys, type TaskQuery } from '../../../projections/tasks/tasks.ts';
import { HttpError } from '../http-error.ts';
import { wholeNumber } from './filter-values.ts';
import { isObject, type UrlRules, urlIn } from './import-method.ts';
import type { PageSizes } from './list-query.ts';
import { checkPlain } from './plain-json.ts';
import { lastOf, type Parameters } from './query-string.ts';

/** The query of `GET /v2/tasks` (reference, section 10.2); 400 for what makes no sense. */
export function taskQueryFrom(parameters: Parameters, viewer: Viewer, pages: PageSizes): TaskQuery {
  const limit = lastOf(parameters, 'limit');
  const status = lastOf(parameters, 'status');
  const type = lastOf(parameters, 'type');
  return {
    viewer,
    status: status === undefined ? undefined : oneOf('status', status, taskStatuses),
    type: type === undefined ? undefined : oneOf('type', type, ['import'] as const),
    sort: {
      key: oneOf('sort_key', lastOf(parameters, 'sort_key') ?? 'created_at', sortKeys),
      direction: oneOf('sort_dir', lastOf(parameters, 'sort_dir') ?? 'desc', [
        'asc',
        'desc',
      ] as const),
    },
    marker: lastOf(parameters, 'marker'),
    limit: Math.min(limit === undefined ? pages.usual : wholeNumber('limit', limit), pages.most),
  };
}

export interface AskedTask {
  readonly type: TaskType;
  readonly input: JsonObject;
}

/** The document of `POST /v2/tasks`; 400 for what does not say what to import, and from where. */
export function askedTaskFrom(document: unknown): AskedTask {
  if (!isObject(document)) throw new HttpError(400, 'A task must be a JSON object.');
  checkPlain(document);
  const { type, input } = document;
  if (typeof type !== 'string') throw new HttpError(400, "Task 'type' is required.");
  const known = oneOf('type', type, taskTypes);
  if (!isObject(input)) throw new HttpError(400, "Task 'input' is required, as a JSON object.");
  if (known === 'import') checkImport(input);
  return { type: known, input };
}

function checkImport(input: JsonObject): void {
  for (const name of ['import_from', 'import_from_format'] as const)
    if (typeof input[name] !== 'string' || input[name] === '')
      throw new HttpError(400, `Input does not contain '${name}' field.`);
  if (!isObject(input.image_properties))
    throw new HttpError(400, "Input does not contain 'image_properties' field.");
}

/** 400 for what nobody may fetch from; who may not ask at all is told so first. */
export function checkSource({ type, input }: AskedTask, rules: UrlRules): void {
  if (type === 'import') urlIn('import_from', input.import_from, rules);
}

function oneOf<Value extends string>(name: string, text: string, known: readonly Value[]): Value {
  const value = known.find((one) => one === text);
  if (value !== undefined) return value;
  throw new HttpError(400, `${name} must be one of ${known.join(', ')}, not "${text}".`);
}
