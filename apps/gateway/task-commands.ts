import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { commandHandler } from '../../domain/command-handler.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { task } from '../../domain/task/task.ts';
import { eventId } from '../../infra/event-id.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { Visible } from '../../projections/images/images.ts';
import type { TaskRecord } from '../../projections/tasks/record.ts';
import type { Tasks } from '../../projections/tasks/tasks.ts';
import type { Call } from './call.ts';
import { HttpError } from './http-error.ts';
import { afterAppend, inTime, metadataOf, seenBy } from './on-behalf.ts';
import type { TaskImporter } from './task-import.ts';
import type { AskedTask } from './wire/task-requests.ts';

/** Makes tasks that belong to no image. */
export interface TaskCommands {
  /** Gives the task as it can be seen. */
  request(call: Call, asked: AskedTask): Promise<TaskRecord>;
}

const pauseMs = 5;

export function taskCommands({
  log,
  tasks,
  visible,
  personal,
  importer,
}: {
  log: Pick<EventLog, 'readStream' | 'append'>;
  tasks: Pick<Tasks, 'show'>;
  visible: Visible;
  personal: PersonalRecords;
  importer: TaskImporter;
}): TaskCommands {
  const pause = (): Promise<void> => delay(pauseMs);
  const handle = commandHandler(task, { log, eventId, schemaVersions: {}, pause });
  const seen = seenBy(visible);

  return {
    async request(call, { type, input }) {
      const taskId = randomUUID();
      const metadata = await metadataOf(call, 'tasks_api_access', personal);
      const context = { commandId: randomUUID(), metadata };
      const owner = call.caller.projectId;
      // The import first: a task that is on record and has none would rest for ever.
      const impossible = type === 'import' ? await importer(call, taskId, input) : ofImage;
      const command = { type: 'RequestTask', task: { type, owner, input }, impossible } as const;
      const { position } = await inTime((deadline) =>
        handle(`task-${taskId}`, command, context, deadline),
      );
      await seen(position);
      const record = await afterAppend(() => tasks.show(taskId));
      if (record === undefined) throw new HttpError(504, 'The task is recorded, but not shown.');
      return record;
    },
  };
}

const ofImage = 'Tasks of this type come with calls about an image, and cannot be asked for.';
