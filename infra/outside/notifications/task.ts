import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { ImageEvent } from '../../../domain/image/events.ts';
import { isoTime, type Notification, told } from './envelope.ts';

/** An import as Glance has it: a task. */
export interface Task {
  readonly id: string;
  readonly type: string;
  readonly status: 'pending' | 'processing' | 'success' | 'failure';
  readonly owner: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** How long a task that is over is kept. */
const keptMs = 48 * 3_600_000;

export function taskAfter(
  task: Task | null,
  owner: string | null,
  { recordedAt: at, ...recorded }: RecordedEvent,
): Task | null {
  const event = recorded as unknown as ImageEvent;
  if (event.type === 'ImportRequested') {
    const { uploadId: id, method } = event.data;
    const type = method.name === 'location' ? 'location_import' : 'api_image_import';
    return { id, type, status: 'pending', owner, createdAt: at, updatedAt: at };
  }
  if (task === null || !('uploadId' in event.data) || event.data.uploadId !== task.id) return task;
  const status = statusBy(event.type, task.status);
  return status === task.status ? task : { ...task, status, updatedAt: at };
}

function statusBy(type: ImageEvent['type'], status: Task['status']): Task['status'] {
  if (status === 'success' || status === 'failure') return status;
  if (type === 'IngestClaimed') return 'processing';
  if (type === 'ImportCompleted') return 'success';
  return type === 'IngestFailed' || type === 'UploadAborted' ? 'failure' : status;
}

export function taskNotifications(
  { type }: RecordedEvent,
  before: Task | null,
  after: Task | null,
): readonly Notification[] {
  if (after === null || after === before) return [];
  if (type === 'ImportRequested') return [told('task.create', payload(after))];
  if (after.status === 'processing')
    return [told('task.run', payload(before ?? after)), told('task.processing', payload(after))];
  return [told(`task.${after.status}`, payload(after))];
}

function payload(task: Task) {
  const isOver = task.status === 'success' || task.status === 'failure';
  return {
    id: task.id,
    type: task.type,
    status: task.status,
    result: null,
    owner: task.owner,
    message: null,
    expires_at: isOver ? isoTime(new Date(task.updatedAt.getTime() + keptMs)) : null,
    created_at: isoTime(task.createdAt),
    updated_at: isoTime(task.updatedAt),
    deleted: false,
    deleted_at: null,
  };
}
