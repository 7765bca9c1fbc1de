import type { StagedReader } from '../../domain/staging.ts';
import type { ImportProgress, ProgressBoard } from '../../infra/progress/progress.ts';

/** Tells how far the work on one attempt is. */
export interface Meter {
  /** Another phase begins, `done` bytes of it done already. */
  phase(name: ImportProgress['phase'], total: number | null, done?: number): void;
  /** So many bytes of the phase are done, and so many there are to be, as is known now. */
  reached(done: number, total?: number | null): void;
  /** Bytes that went to a store, which counts for the phase, too. */
  stored(store: string, bytes: number): void;
  /** Null again when it moves. */
  waits(why: string | null): void;
}

/** Over what time a rate is taken: long enough to be read, short enough to be true. */
const windowMs = 5_000;

export function meter(board: Pick<ProgressBoard, 'tell'>, uploadId: string): Meter {
  let progress: ImportProgress = {
    phase: 'checking',
    done: 0,
    total: null,
    rate: null,
    stores: {},
    waiting: null,
  };
  let since = { at: performance.now(), done: 0 };
  let before = since;
  const tell = (change: Partial<ImportProgress>): void => {
    progress = { ...progress, ...change };
    board.tell(uploadId, progress);
  };
  const rateAt = (done: number): number | null => {
    const now = performance.now();
    if (now - since.at > windowMs) {
      before = since;
      since = { at: now, done };
    }
    const took = now - before.at;
    return took < 1_000
      ? progress.rate
      : Math.max(0, Math.round(((done - before.done) * 1000) / took));
  };
  const restart = (done: number): void => {
    since = { at: performance.now(), done };
    before = since;
  };
  return {
    phase(name, total, done = 0) {
      restart(done);
      tell({ phase: name, total, done, rate: null, waiting: null });
    },
    reached(done, total = progress.total) {
      // What was there was not the source any more, and it begins anew.
      if (done < progress.done) restart(done);
      tell({ done, total, rate: rateAt(done) });
    },
    stored(store, bytes) {
      const done = progress.done + bytes - (progress.stores[store] ?? 0);
      tell({ done, stores: { ...progress.stores, [store]: bytes }, rate: rateAt(done) });
    },
    waits(why) {
      if (why !== progress.waiting) tell({ waiting: why });
    },
  };
}

/** The reader, telling up to where it was read. */
export const metered = (reader: StagedReader, told: (bytes: number) => void): StagedReader => ({
  ...reader,
  path: reader.path,
  async read(into, offset) {
    const count = await reader.read(into, offset);
    told(offset + count);
    return count;
  },
});
