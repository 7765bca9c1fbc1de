import {
  type DownloadRecordingSet,
  projectOfRecording,
  type RecordingChoice,
  recordingChoice,
  recordingStream,
} from '../../../domain/download-record/switch.ts';
import type { EventLog, RecordedEvent, StreamSlice } from '../../../domain/event-log.ts';

/** Whether downloads are recorded, project by project. */
export interface RecordingSwitches {
  readonly isOnByDefault: boolean;
  /** Of a project's images, as of now: whoever was answered that it changed finds it changed at every gateway. */
  isOn(projectId: string | null): Promise<boolean>;
  /** To be told of every event of the log, in order, before this process says that it has heard of it. */
  heard(event: RecordedEvent): void;
  /** Keeps nothing of what it has: the log itself may have gone back. */
  forget(): void;
}

export interface SwitchesOptions {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly isOnByDefault: boolean;
  /** Whether everybody who answers a success waits for what this process has heard: only then may it go by memory. */
  readonly isCurrent: () => boolean;
}

interface Known {
  readonly choice: RecordingChoice;
  readonly revision: number;
}

/** Projects whose choice is remembered; beyond it all are asked for again. */
const mostKnown = 10_000;

/** Reads a project's choice from its stream once, and goes by what the log says of it from then on. */
export function recordingSwitches(options: SwitchesOptions): RecordingSwitches {
  const { log, isOnByDefault, isCurrent } = options;
  const known = new Map<string, Known>();
  /** Counts how often everything was forgotten: what was asked for before must not be kept after it. */
  let life = 0;

  const forget = (): void => {
    life += 1;
    known.clear();
  };

  const keep = (projectId: string, choice: Known): void => {
    if ((known.get(projectId)?.revision ?? -2) > choice.revision) return;
    if (known.size >= mostKnown && !known.has(projectId)) forget();
    known.set(projectId, choice);
  };

  const choiceOf = async (projectId: string): Promise<RecordingChoice> => {
    const before = known.get(projectId);
    if (before !== undefined && isCurrent()) return before.choice;
    const asked = life;
    const slice = await log.readStream(recordingStream(projectId));
    const choice = choiceIn(slice);
    if (asked === life) keep(projectId, { choice, revision: slice.revision });
    return choice;
  };

  return {
    isOnByDefault,
    async isOn(projectId) {
      const choice = projectId === null ? 'default' : await choiceOf(projectId);
      return choice === 'default' ? isOnByDefault : choice === 'on';
    },
    heard({ streamId, revision, data }) {
      const projectId = projectOfRecording(streamId);
      if (projectId === undefined) return;
      const { to } = data as DownloadRecordingSet['data'];
      keep(projectId, { choice: to, revision });
    },
    forget,
  };
}

export const choiceIn = ({ events }: Pick<StreamSlice, 'events'>): RecordingChoice =>
  (events as unknown as readonly DownloadRecordingSet[]).reduce(
    recordingChoice.evolve,
    recordingChoice.initial,
  );
