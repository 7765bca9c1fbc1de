import type { Decider } from '../decider.ts';
import type { JsonObject } from '../json.ts';

/** What a task can be for; those but `import` belong to an image and are told by its own events. */
export const taskTypes = ['import', 'api_image_import', 'location_import'] as const;
export type TaskType = (typeof taskTypes)[number];

export const taskStatuses = ['pending', 'processing', 'success', 'failure'] as const;
export type TaskStatus = (typeof taskStatuses)[number];

type Fact<Type extends string, Data> = { readonly type: Type; readonly data: Readonly<Data> };

/** What can happen to a task that somebody asked for by itself. Its id is in the stream's name (`task-{uuid}`). */
export type TaskEvent =
  | Fact<'TaskRequested', { type: TaskType; owner: string | null; input: JsonObject }>
  | Fact<'TaskStarted', Record<never, never>>
  | Fact<'TaskFailed', { message: string }>;

/** `impossible` says why this site can do nothing about it: then it ends as it begins, and never rests. */
export interface RequestTask {
  readonly type: 'RequestTask';
  readonly task: Extract<TaskEvent, { type: 'TaskRequested' }>['data'];
  readonly impossible: string | null;
}

export type Task = { readonly status: 'absent' | TaskStatus };

const statusAfter = {
  TaskRequested: 'pending',
  TaskStarted: 'processing',
  TaskFailed: 'failure',
} as const satisfies Record<TaskEvent['type'], TaskStatus>;

/**
 * A task of its own (reference, section 10.2): pending → processing → success or failure. One that imports has the id of its
 * image's attempt, whose events tell the rest.
 */
export const task: Decider<Task, RequestTask, TaskEvent> = {
  initial: { status: 'absent' },
  decide({ task: data, impossible }, { status }) {
    if (status !== 'absent') return [];
    const requested: TaskEvent = { type: 'TaskRequested', data };
    if (impossible === null) return [requested];
    return [
      requested,
      { type: 'TaskStarted', data: {} },
      { type: 'TaskFailed', data: { message: impossible } },
    ];
  },
  evolve: (_, { type }) => ({ status: statusAfter[type] }),
};
