import type { JsonObject } from '../../domain/json.ts';
import type { TaskStatus, TaskType } from '../../domain/task/task.ts';

/** One task as the read model holds it. */
export interface TaskRow {
  /** Of a task that belongs to an image, the attempt's `uploadId`. */
  readonly id: string;
  readonly type: TaskType;
  readonly status: TaskStatus;
  /** Null for a task that belongs to no image. */
  readonly imageId: string | null;
  /** The requester's project. */
  readonly owner: string | null;
  readonly userId: string | null;
  readonly requestId: string;
  readonly input: JsonObject;
  readonly result: JsonObject | null;
  /** Why it failed, or which stores failed while others did not; empty while there is nothing to say. */
  readonly message: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Null while it goes on. */
  readonly endedAt: Date | null;
}

export interface TaskRecord extends TaskRow {
  /** Null while it goes on: a task that ended is shown for a while, and then not any more. */
  readonly expiresAt: Date | null;
}
