import type { JsonObject } from '../../../domain/json.ts';
import type { TaskRecord } from '../../../projections/tasks/record.ts';
import { timestamp } from './image.ts';
import { type Parameters, queryStringOf } from './query-string.ts';

/** A task as `/v2/tasks` lists it (reference, section 10.2). */
export const taskSummary = (task: TaskRecord): JsonObject => ({
  id: task.id,
  type: task.type,
  status: task.status,
  owner: task.owner,
  created_at: timestamp(task.createdAt),
  updated_at: timestamp(task.updatedAt),
  ...(task.expiresAt === null ? {} : { expires_at: timestamp(task.expiresAt) }),
  ...(task.imageId === null ? {} : { image_id: task.imageId }),
  ...(task.userId === null ? {} : { user_id: task.userId }),
  request_id: task.requestId,
  self: `/v2/tasks/${task.id}`,
  schema: '/v2/schemas/task',
});

/** All of a task, as `/v2/tasks/{id}` shows it. */
export const taskDocument = (task: TaskRecord): JsonObject => ({
  ...taskSummary(task),
  input: task.input,
  result: task.result,
  message: task.message,
});

/** A task as its image lists it (reference, section 10.1): times without a zone, and everything there, be it null. */
export const imageTaskDocument = (task: TaskRecord): JsonObject => ({
  id: task.id,
  image_id: task.imageId,
  request_id: task.requestId,
  user_id: task.userId,
  type: task.type,
  status: task.status,
  owner: task.owner,
  input: task.input,
  result: task.result,
  message: task.message,
  created_at: withMicroseconds(task.createdAt),
  updated_at: withMicroseconds(task.updatedAt),
  expires_at: task.expiresAt === null ? null : withMicroseconds(task.expiresAt),
  deleted: false,
  deleted_at: null,
});

const withMicroseconds = (time: Date): string => `${time.toISOString().slice(0, -1)}000`;

/** A page with its links. `next` is there when the page is full. */
export function taskPage(
  page: readonly TaskRecord[],
  parameters: Parameters,
  limit: number,
): JsonObject {
  const unmarked = parameters.filter(([name]) => name !== 'marker');
  const last = page.length > 0 && page.length >= limit ? page.at(-1) : undefined;
  return {
    tasks: page.map(taskSummary),
    first: link(unmarked),
    ...(last === undefined ? {} : { next: link([...unmarked, ['marker', last.id]]) }),
    schema: '/v2/schemas/tasks',
  };
}

const link = (parameters: Parameters): string =>
  parameters.length === 0 ? '/v2/tasks' : `/v2/tasks?${queryStringOf(parameters)}`;
