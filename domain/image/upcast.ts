import type { RecordedEvent } from '../event-log.ts';
import type { JsonObject } from '../json.ts';
import { metadefSteps } from '../metadef/upcast.ts';

type Step = (data: JsonObject) => JsonObject;

/** One step per released change, oldest first: step 0 lifts version 1 to 2. Every image event is at version 1 so far. */
const imageSteps: Readonly<Record<string, readonly Step[]>> = {};

/** Lifts an event of any stored version to the newest; `steps` is for tests. */
export const upcastWith =
  (steps: Readonly<Record<string, readonly Step[]>>) =>
  (event: RecordedEvent): RecordedEvent => {
    const due = (steps[event.type] ?? []).slice(event.schemaVersion - 1);
    if (due.length === 0) return event;
    return {
      ...event,
      schemaVersion: event.schemaVersion + due.length,
      data: due.reduce((data, step) => step(data), event.data),
    };
  };

export const upcast = upcastWith({ ...imageSteps, ...metadefSteps });

/** Newest version per type, where it is above 1. */
export const schemaVersions: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(imageSteps).map(([type, steps]) => [type, steps.length + 1]),
);
