import type { JsonObject } from '../../domain/json.ts';
import type { Projection, Table } from '../projection.ts';
import { fold, type TaskParts, taskIdOf } from './fold.ts';
import type { TaskRow } from './record.ts';

/** Column of each field, in the order in which queries read them. */
export const columnOf = {
  id: 'id',
  type: 'type',
  status: 'status',
  imageId: 'image_id',
  owner: 'owner',
  userId: 'user_id',
  requestId: 'request_id',
  input: 'input',
  result: 'result',
  message: 'message',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  endedAt: 'ended_at',
} as const satisfies Record<keyof TaskRow, string>;

const fields = Object.entries(columnOf) as readonly [keyof TaskRow, string][];

const taskTable: Table<TaskRow> = {
  columns: {
    type: 'text not null',
    status: 'text not null',
    image_id: 'text',
    owner: 'text',
    user_id: 'text',
    request_id: 'text not null',
    input: 'json not null',
    result: 'json',
    message: 'text not null',
    created_at: 'timestamptz(3) not null',
    updated_at: 'timestamptz(3) not null',
    ended_at: 'timestamptz(3)',
  },
  storage: 'fillfactor = 80',
  distinct: {},
  longest: {},
  indexes: {
    task_by_age: '(created_at, id)',
    task_by_image: '(image_id, created_at) where image_id is not null',
  },
  toJson(task) {
    const json: Record<string, unknown> = {};
    for (const [field, column] of fields) if (field !== 'id') json[column] = task[field];
    return json as JsonObject;
  },
  fromJson(json, id) {
    const task: Record<string, unknown> = { id };
    for (const [field, column] of fields) if (field !== 'id') task[field] = json[column];
    return {
      ...(task as unknown as TaskRow),
      createdAt: new Date(json.created_at as string),
      updatedAt: new Date(json.updated_at as string),
      endedAt: json.ended_at === null ? null : new Date(json.ended_at as string),
    };
  },
};

/** The read model behind `Tasks`: the view `tasks.task`. */
export const tasksProjection: Projection<TaskParts> = {
  name: 'tasks',
  version: 2,
  tables: { task: taskTable },
  keyOf: taskIdOf,
  // What a task leads to may be told of in an image's stream before the task's own begins.
  begins: () => false,
  fold,
};
