import type { Decider } from '../decider.ts';

/** Whether downloads of a project's images are recorded; `default` is as the site is set up. */
export type RecordingChoice = 'on' | 'off' | 'default';

/** The one fact of the stream of a project's choice. */
export interface DownloadRecordingSet {
  readonly type: 'DownloadRecordingSet';
  readonly data: { readonly from: RecordingChoice; readonly to: RecordingChoice };
}

export interface SetDownloadRecording {
  readonly type: 'SetDownloadRecording';
  readonly to: RecordingChoice;
}

/** `recording-{project}`: the images' owner, not whoever downloads. */
export const recordingStream = (projectId: string): string => `${prefix}${projectId}`;

/** Undefined for streams of anything else. */
export const projectOfRecording = (streamId: string): string | undefined =>
  streamId.startsWith(prefix) ? streamId.slice(prefix.length) : undefined;

const prefix = 'recording-';

export const recordingChoice: Decider<RecordingChoice, SetDownloadRecording, DownloadRecordingSet> =
  {
    initial: 'default',
    decide: ({ to }, from) =>
      to === from ? [] : [{ type: 'DownloadRecordingSet', data: { from, to } }],
    evolve: (before, { type, data }) => (type === 'DownloadRecordingSet' ? data.to : before),
  };
