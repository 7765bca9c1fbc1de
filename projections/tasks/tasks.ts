import type { Viewer } from '../../domain/image/visibility.ts';
import type { TaskStatus, TaskType } from '../../domain/task/task.ts';
import type { TaskRecord } from './record.ts';

export const sortKeys = ['id', 'type', 'status', 'owner', 'created_at', 'updated_at'] as const;
export type SortKey = (typeof sortKeys)[number];

export interface TaskQuery {
  /** Administrators see the tasks of everybody, others those of their project. */
  readonly viewer: Viewer;
  readonly status: TaskStatus | undefined;
  readonly type: TaskType | undefined;
  readonly sort: { readonly key: SortKey; readonly direction: 'asc' | 'desc' };
  /** Id of the last task of the page before. */
  readonly marker: string | undefined;
  readonly limit: number;
}

/** What is asked of the tasks read model. Tasks that expired are not there any more. */
export interface Tasks {
  show(taskId: string): Promise<TaskRecord | undefined>;
  /** Rejects with `TaskMarkerUnknown`. */
  list(query: TaskQuery): Promise<readonly TaskRecord[]>;
  /** The newest first. */
  ofImage(imageId: string, viewer: Viewer): Promise<readonly TaskRecord[]>;
}

export const isSeenBy = (
  { owner }: Pick<TaskRecord, 'owner'>,
  { isAdmin, projectId }: Viewer,
): boolean => isAdmin || (owner !== null && owner === projectId);

export class TaskMarkerUnknown extends Error {
  constructor(marker: string) {
    super(`Task ${marker} could not be found: it cannot be the marker`);
    this.name = 'TaskMarkerUnknown';
  }
}
