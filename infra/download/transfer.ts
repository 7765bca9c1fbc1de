import { gaps } from '../../domain/extents.ts';
import type { Asked } from './answer.ts';
import { Setback, SourceChanged } from './failures.ts';
import { Changed, fetchPart, type PartOptions, StartOver } from './fetch-part.ts';
import { nextPart } from './parts.ts';
import type { Patience } from './patience.ts';
import type { HostSlots } from './slots.ts';
import { hostNamed } from './source.ts';

export interface TransferOptions extends PartOptions {
  /** Most parts that are fetched side by side. */
  readonly parallel: number;
  readonly segmentBytes: number;
  readonly slots: HostSlots;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  /** Told of how many parts are fetched side by side. */
  laned(lanes: number): void;
}

const mostChanges = 5;

/** Fetches what is missing of a file. Resolves when all its bytes are written, and its size is known. */
export async function transfer(options: TransferOptions): Promise<void> {
  const { source, into, file, progress } = options;
  const lanes = { wanted: options.parallel };
  while (!isWhole(options)) {
    try {
      await round(options, lanes);
    } catch (error) {
      if (error instanceof Changed) {
        file.changes += 1;
        if (file.changes >= mostChanges) throw changedTooOften(hostNamed(source.url), file.changes);
        progress.restart();
      } else if (!(error instanceof StartOver)) throw error;
      if (into.state().written.length > 0) await into.reset();
      file.version = null;
      file.pieces = 0;
    }
  }
}

function isWhole({ file, into }: TransferOptions): boolean {
  const size = file.version?.size ?? null;
  return size !== null && gaps(into.state().written, size).length === 0;
}

/**
 * Lanes that each fetch one part after the other, until nothing is left. The first begins alone; others join it when it
 * has brought a part, and leave where the server breaks them off without a byte: it wants no more at once.
 */
async function round(options: TransferOptions, wanted: { wanted: number }): Promise<void> {
  const { source, into, file, patience, signal } = options;
  const host = hostNamed(source.url);
  const stop = new AbortController();
  const stopping = AbortSignal.any([signal, stop.signal]);
  const lanes = new Set<Promise<void>>();
  const taken = new Set<Asked>();
  let failure: unknown;

  const next = (): Asked | undefined => {
    const cut = { lanes: wanted.wanted, segmentBytes: options.segmentBytes };
    return nextPart(into.state().written, [...taken], file.version?.size ?? null, cut);
  };

  const isWritten = (offset: number): boolean =>
    into.state().written.some(({ start, end }) => start <= offset && offset < end);

  /** Gives what went wrong, if it may be tried again. */
  const attempt = async (part: Asked): Promise<Setback | undefined> => {
    taken.add(part);
    try {
      await fetchPart(options, part, () => lanes.size <= 1, stopping);
      return undefined;
    } catch (error) {
      if (error instanceof Setback) return error;
      throw error;
    } finally {
      taken.delete(part);
    }
  };

  const lane = async (): Promise<void> => {
    for (let part = next(); part !== undefined; part = next()) {
      const setback = await attempt(part);
      stopping.throwIfAborted();
      if (setback === undefined) widen();
      else if (lanes.size > 1 && !isWritten(part.start)) {
        wanted.wanted = Math.max(1, lanes.size - 1);
        return;
      } else await patience.wait(setback);
    }
  };

  const start = (release: () => void): void => {
    const running = lane()
      .catch((error) => {
        failure ??= error;
        stop.abort(error);
      })
      .finally(() => {
        release();
        lanes.delete(running);
        options.laned(lanes.size);
      });
    lanes.add(running);
    options.laned(lanes.size);
  };

  const widen = (): void => {
    while (lanes.size < wanted.wanted && file.version !== null && next() !== undefined) {
      const release = options.slots.tryTake(host);
      if (release === undefined) return;
      start(release);
    }
  };

  start(await options.slots.take(host, signal));
  while (lanes.size > 0) await Promise.race(lanes);
  signal.throwIfAborted();
  if (failure !== undefined) throw failure;
}

const changedTooOften = (host: string, times: number): SourceChanged =>
  new SourceChanged(
    `The file at ${host} became another ${times} times while it was fetched: ` +
      'wait until it is complete, or give the URL of one version',
  );
