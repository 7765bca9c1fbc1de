import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { downloadStream } from '../../../domain/download-record/events.ts';
import { nothingRead, withRead } from '../../../domain/download-record/reading.ts';
import type { EventLog, Metadata } from '../../../domain/event-log.ts';
import type { PersonalRecords } from '../../../infra/personal/records.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';
import { metadataOf } from '../on-behalf.ts';
import { isPassing, ownStreams } from '../own-streams.ts';
import type { ByteRange } from '../range.ts';
import { beginningOf, type Download, type DownloadedImage, newsOf } from './download.ts';
import type { RecordingSwitches } from './switches.ts';

/** One request for bytes, on record. */
export interface Sending {
  /** So many more bytes are about to leave. */
  leaves(bytes: number): void;
  /** Nothing more leaves. */
  ended(): void;
}

/**
 * Remembers in the log who reads which bytes. That a reader begins is in the log before its first byte leaves; what it
 * reads is gathered and told once a minute, and when it has not come back for a while. A gateway that is killed takes with
 * it which bytes were read since it last told, and never that they were read, by whom and when that began.
 */
export interface DownloadRecorder {
  /** Resolves once bytes may leave. Rejects with 503 when the log cannot take it: then nothing may be sent. */
  begin(call: Call, image: DownloadedImage, part: ByteRange): Promise<Sending>;
  /** Tells what is due. Never rejects: what cannot be appended now is due again the next time. */
  tellDue(): Promise<void>;
  /** Tells everything; nothing begins any more. */
  stop(): Promise<void>;
}

export interface RecorderPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly switches: Pick<RecordingSwitches, 'isOn'>;
  readonly personal: PersonalRecords;
  readonly logger: Pick<Logger, 'error'>;
  readonly now: () => Date;
  /** Names this life of this process. */
  readonly writer: string;
  readonly pace?: RecorderPace;
}

/** All in milliseconds. */
export interface RecorderPace {
  /** How often it is looked for what is due. */
  readonly lookMs: number;
  /** A reader that has not come back for so long has ended. */
  readonly idleMs: number;
  /** How often a reader that goes on is told of. */
  readonly sliceMs: number;
  /** Requests that come after this begin another download. */
  readonly longestMs: number;
  /** How long a request waits until its beginning is in the log. */
  readonly patienceMs: number;
}

export const usualPace: RecorderPace = {
  lookMs: 1_000,
  idleMs: 10_000,
  sliceMs: 60_000,
  longestMs: 900_000,
  patienceMs: 15_000,
};

const unrecorded: Sending = { leaves() {}, ended() {} };

export function recordDownloads(ports: RecorderPorts): DownloadRecorder {
  const { log, logger, now, personal, switches, writer, pace = usualPace } = ports;
  const streamOf = (at: Date, number: number): string => downloadStream(at, writer, number);
  const append = ownStreams({ log, now, streamOf });
  /** Which a further request of the same reader belongs to. */
  const current = new Map<string, Download>();
  /** Everything that the log must still be told of. */
  const open = new Set<Download>();
  let telling: Promise<void> | undefined;
  let stopped = false;

  const leave = (download: Download): void => {
    if (current.get(download.key) === download) current.delete(download.key);
  };

  const forget = (download: Download): void => {
    leave(download);
    open.delete(download);
  };

  const begun = (
    key: string,
    metadata: Omit<Metadata, 'causationId'>,
    image: Download['image'],
    part: ByteRange,
  ): Download => {
    const at = now();
    const download: Download = {
      ...{ id: randomUUID(), key, image, begunAt: at, lastAt: at, toldAt: at, tries: 0 },
      metadata: { ...metadata, causationId: metadata.correlationId },
      begun: Promise.resolve(),
      isBegun: false,
      reading: nothingRead,
      running: new Set(),
    };
    current.set(key, download);
    open.add(download);
    download.begun = append(beginningOf(download, part, writer)).then(
      () => {
        download.isBegun = true;
      },
      (error) => {
        forget(download);
        throw error;
      },
    );
    download.begun.catch(() => {}); // whoever waits is told
    return download;
  };

  const tell = async (download: Download, ended: boolean): Promise<void> => {
    if (ended) leave(download);
    download.tries += 1;
    try {
      await append(newsOf(download, ended));
    } catch (error) {
      if (isPassing(error)) throw error; // and is due again
      const { id: downloadId, image } = download;
      logger.error({ err: error, downloadId, imageId: image.id }, 'a download is not recorded');
    }
    download.toldAt = now();
    if (ended) open.delete(download);
  };

  const tellThose = async (wanted: (download: Download) => 'end' | 'slice' | undefined) => {
    const all = [...open].map(async (download) => {
      const what = wanted(download);
      if (what !== undefined) await tell(download, what === 'end');
    });
    const failed = (await Promise.allSettled(all)).filter(({ status }) => status === 'rejected');
    const [first] = failed as readonly PromiseRejectedResult[];
    if (first === undefined) return;
    const count = failed.length;
    logger.error({ err: first.reason, count }, 'what was downloaded cannot be told to the log yet');
  };

  const due = ({ isBegun, lastAt, running, toldAt }: Download): 'end' | 'slice' | undefined => {
    if (!isBegun) return undefined;
    const at = now().getTime();
    if (running.size === 0 && at - lastAt.getTime() >= pace.idleMs) return 'end';
    if (at - toldAt.getTime() < pace.sliceMs) return undefined;
    return running.size > 0 || lastAt > toldAt ? 'slice' : undefined;
  };

  /** One at a time, so that what is told later is in the log behind it. */
  const tellDue = (): Promise<void> => {
    telling ??= tellThose(due).finally(() => {
      telling = undefined;
    });
    return telling;
  };
  const timer = setInterval(() => void tellDue(), pace.lookMs);
  timer.unref();

  return {
    async begin(call, { size, ...image }, part) {
      if (size === null) return unrecorded;
      if (stopped) throw notRecorded(new Error('the gateway stops'));
      const sending = { start: part.start, end: part.start };
      let download: Download | undefined;
      try {
        if (!(await switches.isOn(image.owner))) return unrecorded;
        const metadata = await metadataOf(call, 'download_image', personal);
        const key = JSON.stringify([image.id, image.owner, metadata.actor, metadata.personal]);
        download = current.get(key);
        if (download === undefined || isWornOut(download, now(), pace))
          download = begun(key, metadata, { ...image, size }, part);
        download.running.add(sending);
        if (!download.isBegun) await inTime(download.begun, pace.patienceMs);
      } catch (error) {
        download?.running.delete(sending);
        throw notRecorded(error);
      }
      const { running } = download;
      const recorded = download;
      return {
        leaves(bytes) {
          sending.end += bytes;
          recorded.lastAt = now();
        },
        ended() {
          if (!running.delete(sending)) return;
          recorded.reading = withRead(recorded.reading, sending);
          recorded.lastAt = now();
        },
      };
    },
    tellDue,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await telling;
      await Promise.allSettled([...open].map((download) => download.begun));
      await tellThose(() => 'end');
    },
  };
}

const isWornOut = ({ begunAt }: Download, at: Date, { longestMs }: RecorderPace): boolean =>
  at.getTime() - begunAt.getTime() >= longestMs;

/** Rejects when it takes too long; what is awaited goes on. */
async function inTime(work: Promise<void>, patienceMs: number): Promise<void> {
  const early = new AbortController();
  const late = delay(patienceMs, undefined, { signal: early.signal }).then(() => {
    throw new Error(`not recorded within ${patienceMs} ms`);
  });
  await Promise.race([work, late]).finally(() => {
    late.catch(() => {});
    early.abort();
  });
}

const notRecorded = (cause: unknown): HttpError =>
  new HttpError(503, 'The download cannot be recorded just now, so nothing is sent. Try again.', {
    headers: { 'Retry-After': '1' },
    cause,
  });
