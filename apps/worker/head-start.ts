import { setTimeout as delay } from 'node:timers/promises';
import type { Declared } from '../../domain/inspection/inspect.ts';
import {
  type StagedKey,
  StagedMissing,
  type StagedReader,
  type Staging,
} from '../../domain/staging.ts';
import type { DigestThreads } from '../../infra/digests/digest-threads.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type Preparation, prepare } from './preparation.ts';

/**
 * Uploads that are prepared while they still arrive. A head start is no claim and nobody counts on it; it ends with the
 * upload, or when another worker claims it.
 */
export interface HeadStarts {
  readonly count: number;
  /** Begins to follow, once the gateway has made the staged object. */
  begin(key: StagedKey, declared: Declared): void;
  /** The upload is whole: what is left is done at once. */
  staged(uploadId: string, size: number): void;
  has(uploadId: string): boolean;
  /** Gives it away to the one who claimed. */
  take(uploadId: string): Preparation | undefined;
  drop(uploadId: string): void;
  dropImage(imageId: string): void;
  close(): Promise<void>;
}

interface HeadStart {
  readonly key: StagedKey;
  readonly stop: AbortController;
  preparation?: Preparation;
}

/** A gateway makes the object right after it has appended `UploadStarted`; one that does not has died. */
const openTimeoutMs = 5_000;
const pollMs = 10;

export function headStarts({
  staging,
  threads,
  log,
}: {
  readonly staging: Staging;
  readonly threads: DigestThreads;
  readonly log: Logger;
}): HeadStarts {
  const running = new Map<string, HeadStart>();

  const end = (headStart: HeadStart): void => {
    headStart.stop.abort();
    running.delete(headStart.key.uploadId);
    headStart.preparation
      ?.cancel()
      .catch((error) => log.warn({ err: error }, 'a head start did not end well'));
  };

  const open = async ({ key, stop }: HeadStart): Promise<StagedReader> => {
    const deadline = performance.now() + openTimeoutMs;
    for (;;) {
      try {
        return await staging.open(key);
      } catch (error) {
        if (!(error instanceof StagedMissing) || performance.now() > deadline) throw error;
      }
      await delay(pollMs, undefined, { signal: stop.signal });
    }
  };

  const follow = async (headStart: HeadStart, declared: Declared): Promise<void> => {
    const reader = await open(headStart);
    if (headStart.stop.signal.aborted) await reader.close();
    else headStart.preparation = prepare(reader, declared, threads);
  };

  return {
    get count() {
      return running.size;
    },
    begin(key, declared) {
      if (running.has(key.uploadId)) return;
      const headStart: HeadStart = { key, stop: new AbortController() };
      running.set(key.uploadId, headStart);
      follow(headStart, declared).catch((error) => {
        if (!headStart.stop.signal.aborted)
          log.info({ err: error, ...key }, 'no head start on this upload');
        end(headStart);
      });
    },
    staged(uploadId, size) {
      void running
        .get(uploadId)
        ?.preparation?.finish(size)
        .catch(() => {});
    },
    has: (uploadId) => running.get(uploadId)?.preparation !== undefined,
    take(uploadId) {
      const headStart = running.get(uploadId);
      if (headStart === undefined) return undefined;
      running.delete(uploadId);
      headStart.stop.abort();
      return headStart.preparation;
    },
    drop(uploadId) {
      const headStart = running.get(uploadId);
      if (headStart !== undefined) end(headStart);
    },
    dropImage(imageId) {
      for (const headStart of running.values())
        if (headStart.key.imageId === imageId) end(headStart);
    },
    async close() {
      const all = [...running.values()];
      for (const headStart of all) headStart.stop.abort();
      running.clear();
      await Promise.all(all.map(({ preparation }) => preparation?.cancel().catch(() => {})));
    },
  };
}
