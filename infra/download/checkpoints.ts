import type { PartialObject } from '../../domain/staging.ts';
import { asJson, type Note } from './note.ts';

/** Saves a download from time to time while it goes on. */
export interface Checkpoints {
  /** So many bytes more are written. Waits where saving falls behind, so that no crash can cost more than two windows. */
  wrote(bytes: number): Promise<void>;
  /** Saves whatever there is. */
  now(): Promise<void>;
}

export interface Window {
  readonly checkpointBytes: number;
  readonly checkpointMs: number;
}

export function checkpoints(
  into: PartialObject,
  note: () => Note,
  { checkpointBytes, checkpointMs }: Window,
): Checkpoints {
  let unsaved = 0;
  let savedAt = performance.now();
  let saving: Promise<void> | undefined;

  const save = async (): Promise<void> => {
    unsaved = 0;
    await into.checkpoint(asJson(note()));
    savedAt = performance.now();
  };
  const start = (): Promise<void> => {
    saving ??= save().finally(() => {
      saving = undefined;
    });
    // Whoever writes next, or ends the download, hears of it.
    saving.catch(() => {});
    return saving;
  };

  return {
    async wrote(bytes) {
      unsaved += bytes;
      const isBehind = saving !== undefined && unsaved >= checkpointBytes;
      if (isBehind) await saving;
      const isDue = unsaved >= checkpointBytes || performance.now() - savedAt >= checkpointMs;
      if (isDue && unsaved > 0 && saving === undefined) void start();
    },
    async now() {
      await saving;
      if (unsaved > 0) await start();
    },
  };
}
