import { setTimeout as delay } from 'node:timers/promises';
import type { Expected, Source } from '../../domain/image/events.ts';
import type { Download } from '../../domain/image/state.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { type PartialObject, type Staging, StagingFull } from '../../domain/staging.ts';
import { type Claim, type Conclusions, type DownloadTask, Failed } from './claim.ts';
import type { Meter } from './meter.ts';

/** How far a fetch is. */
export interface FetchProgress {
  /** Bytes that are in staging. */
  readonly done: number;
  /** As the source says; null where it does not. */
  readonly total: number | null;
  /** Why nothing comes just now. */
  readonly waiting: string | null;
}

export interface Fetched {
  readonly size: number;
  readonly source: Source;
}

/** What a fetch of one import needs to know, and to tell. */
export interface FetchAsk {
  readonly signal: AbortSignal;
  /** What the bytes have to be; null where nobody says. */
  readonly expected: Expected | null;
  /** Beyond it, the download is broken off. */
  readonly limitBytes: number;
  /** Whose budget the bytes are in; null for an image without owner. */
  readonly projectId: string | null;
  /** Asked before there are so many bytes. What it rejects with ends the fetch. */
  admit(bytes: number): Promise<void>;
  tell(progress: FetchProgress): void;
}

/** Ways to fetch the bytes of a download into a partial object, which is sealed then. */
export interface Fetcher {
  /** Goes on from what is in `into`. Rejects with `Failed` when it cannot succeed, or did not for too long. */
  fetch(claim: Claim, method: Download, into: PartialObject, ask: FetchAsk): Promise<Fetched>;
  /** What is known of the image before its bytes are there. Rejects with `Failed`. */
  describe(
    claim: Claim,
    method: Download,
    signal: AbortSignal,
  ): Promise<Description | Pick<Description, 'expected'>>;
}

/** What another image service says of an image. */
export interface Description {
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly properties: Readonly<Record<string, string>>;
  readonly expected: Expected | null;
}

/** Room in the quota of the image's owner for what comes. */
export interface FetchRoom {
  /** Resolves when there is room for so many bytes in all; rejects with `Failed` when there is none. */
  admit(total: number): Promise<void>;
  /** So many have come, and no more will. */
  settle(total: number): Promise<void>;
  /** This process has nothing more to do with it. */
  close(): void;
}

/** Where nothing is limited. */
export const freeRoom: FetchRoom = { async admit() {}, async settle() {}, close() {} };

export interface FetchPorts {
  readonly staging: Pick<Staging, 'resume'>;
  readonly fetcher: Fetcher;
  readonly roomFor: (claim: Claim, task: DownloadTask, signal: AbortSignal) => Promise<FetchRoom>;
  /** Bytes. */
  readonly sizeCap: number;
  readonly passStep: PassStep;
  /** A claim that has got on for so long says so. */
  readonly advanceAfterMs?: number;
}

/**
 * The work on a download until its bytes are whole:
 *
 *     describe the image, where its source does ──▶ fetch, from where the claim before has left it ──▶ CompleteFetch
 *                                                     └─ RecordAdvance, once, when it goes on for long
 *
 * Whoever is stopped or dies leaves the partial object and its checkpoint, which belong to the attempt: they go with it.
 */
export function fetchWork(ports: FetchPorts) {
  const { staging, fetcher, roomFor, sizeCap, passStep, advanceAfterMs = 5_000 } = ports;

  return async function* work(
    claim: Claim,
    task: DownloadTask,
    meter: Meter,
    signal: AbortSignal,
  ): Conclusions {
    const { uploadId, epoch } = claim;
    const { expected, ...known } = await fetcher.describe(claim, task.method, signal);
    if ('properties' in known) yield { type: 'DescribeImport', uploadId, epoch, ...known };

    const stop = new AbortController();
    const stopped = AbortSignal.any([signal, stop.signal]);
    const into = await staging.resume(claim).catch((error) => {
      throw asFailure(error);
    });
    let room: FetchRoom | undefined;
    try {
      room = await roomFor(claim, task, stopped);
      meter.phase('fetching', null, bytesIn(into));
      passStep('worker.fetch-begun');
      const fetching = fetchWithin(claim, task, { into, room, meter, expected }, stopped);
      const progress = advance(into, task.fetched, stopped);
      if ((await Promise.race([fetching, progress])) === 'advanced')
        yield { type: 'RecordAdvance', uploadId, epoch, bytes: bytesIn(into) };
      const { size, source } = await fetching;
      passStep('worker.fetch-sealed');
      yield { type: 'CompleteFetch', uploadId, epoch, size, source };
      passStep('worker.fetch-recorded');
    } finally {
      stop.abort();
      room?.close();
      await into.close();
    }
  };

  async function fetchWithin(
    claim: Claim,
    task: DownloadTask,
    {
      into,
      room,
      meter,
      expected,
    }: { into: PartialObject; room: FetchRoom; meter: Meter; expected: Expected | null },
    signal: AbortSignal,
  ): Promise<Fetched> {
    let half = false;
    const tell = ({ done, total, waiting }: FetchProgress): void => {
      meter.reached(done, total);
      meter.waits(waiting);
      if (half || total === null || done < total / 2) return;
      half = true;
      passStep('worker.fetch-half');
    };
    const { method, projectId } = task;
    const ask = { signal, expected, limitBytes: sizeCap, projectId, admit: room.admit, tell };
    try {
      const fetched = await fetcher.fetch(claim, method, into, ask);
      await room.admit(fetched.size);
      await room.settle(fetched.size);
      return fetched;
    } catch (error) {
      signal.throwIfAborted();
      throw asFailure(error);
    }
  }

  /** Resolves once this claim has brought more than those before it, and has been at it for a while. */
  async function advance(
    into: PartialObject,
    before: number,
    signal: AbortSignal,
  ): Promise<'advanced' | undefined> {
    for (;;) {
      await delay(advanceAfterMs, undefined, { signal, ref: false }).catch(() => {});
      // Nobody waits for it any more then, but for the fetch itself.
      if (signal.aborted) return new Promise(() => {});
      if (bytesIn(into) > before) return 'advanced';
    }
  }
}

const asFailure = (error: unknown): unknown =>
  error instanceof StagingFull ? new Failed('staging-full', error.message, error) : error;

/** As far as a crash would leave them. */
const bytesIn = (into: PartialObject): number =>
  into.state().written.reduce((sum, { start, end }) => sum + end - start, 0);
