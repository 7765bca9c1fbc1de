import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { TaskEvent } from '../../domain/task/task.ts';
import type { Entry } from '../projection.ts';
import type { TaskRow } from './record.ts';

export type TaskParts = { readonly task: TaskRow };
export type TaskEntry = Entry<TaskParts>;

const taskPrefix = 'task-';
const imagePrefix = 'image-';

/** What begins, moves or ends an import: its task is a view of the image's own events, so that they cannot disagree. */
const ofImports: ReadonlySet<string> = new Set([
  'ImportRequested',
  'IngestClaimed',
  'ImportStoreFailed',
  'ImportCompleted',
  'IngestFailed',
  'ImageDeletionScheduled',
  'ImageDeleted',
] satisfies readonly ImageEvent['type'][]);

export function taskIdOf({ streamId, type, data }: RecordedEvent): string | undefined {
  if (streamId.startsWith(taskPrefix)) return streamId.slice(taskPrefix.length);
  if (!streamId.startsWith(imagePrefix) || !ofImports.has(type)) return undefined;
  return typeof data.uploadId === 'string' ? data.uploadId : undefined;
}

/** Takes one event of a task into its row. A plain upload has no task: what is told of it changes nothing. */
export function fold(entry: TaskEntry, recorded: RecordedEvent): TaskEntry {
  const event = recorded as unknown as ImageEvent | TaskEvent;
  if (event.type === 'ImportRequested') return { task: importTask(event.data, recorded) };
  if (event.type === 'TaskRequested')
    // What it leads to may be under way, and have its id, before the task itself is on record.
    return {
      task: {
        ...(entry.task ?? begun(recorded)),
        ...event.data,
        id: recorded.streamId.slice(taskPrefix.length),
      },
    };
  const { task } = entry;
  if (task === undefined || task.endedAt !== null) return entry;
  const { recordedAt } = recorded;
  const changed = (change: Partial<TaskRow>): TaskEntry => ({
    task: { ...task, ...change, updatedAt: recordedAt },
  });
  const failed = (message: string): TaskEntry =>
    changed({ status: 'failure', message, endedAt: recordedAt });
  switch (event.type) {
    case 'IngestClaimed':
    case 'TaskStarted':
      return changed({ status: 'processing' });
    case 'ImportStoreFailed':
      // The others may be enough: then nothing else tells the image's owner why this one has nothing.
      return changed({ message: [task.message, event.data.message].filter(Boolean).join('; ') });
    case 'ImportCompleted': {
      const result = { image_id: task.imageId };
      return changed({ status: 'success', result, endedAt: recordedAt });
    }
    case 'IngestFailed':
    case 'TaskFailed':
      return failed(event.data.message);
    case 'ImageDeletionScheduled':
    case 'ImageDeleted':
      return failed('The image was deleted while its import was under way.');
    default:
      return entry;
  }
}

type ImportRequest = Extract<ImageEvent, { type: 'ImportRequested' }>['data'];

function importTask(request: ImportRequest, recorded: RecordedEvent): TaskRow {
  const imageId = recorded.streamId.slice(imagePrefix.length);
  return {
    ...begun(recorded),
    id: request.uploadId,
    type: request.method.name === 'location' ? 'location_import' : 'api_image_import',
    imageId,
    input: inputOf(imageId, request),
  };
}

/** As the original keeps it. */
function inputOf(
  imageId: string,
  { method, stores, allStoresMustSucceed }: ImportRequest,
): JsonObject {
  if (method.name === 'location') {
    const { url, validation } = method;
    const validationData =
      validation === null
        ? {}
        : {
            os_hash_algo: validation.algorithm,
            os_hash_value: validation.value,
            ...(validation.checksum === null ? {} : { checksum: validation.checksum }),
          };
    return { image_id: imageId, loc_url: url, validation_data: validationData };
  }
  return {
    image_id: imageId,
    import_req: {
      method: methodInput(method),
      stores,
      all_stores_must_succeed: allStoresMustSucceed,
    },
    backend: stores,
  };
}

function methodInput(method: ImportRequest['method']): JsonObject {
  const { name } = method;
  switch (name) {
    case 'web-download':
      return { name, uri: method.uri };
    case 'glance-download':
      return {
        name,
        glance_region: method.region,
        glance_image_id: method.imageId,
        glance_service_interface: method.interface,
      };
    default:
      return { name };
  }
}

const begun = ({ metadata, recordedAt }: RecordedEvent) => {
  const { actor, requestId } = metadata;
  return {
    status: 'pending',
    imageId: null,
    owner: actor.kind === 'user' ? actor.projectId : null,
    userId: actor.kind === 'user' ? actor.userId : null,
    requestId,
    result: null,
    message: '',
    createdAt: recordedAt,
    updatedAt: recordedAt,
    endedAt: null,
  } as const;
};
