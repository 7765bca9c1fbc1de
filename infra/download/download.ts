import { bytesIn } from '../../domain/extents.ts';
import type { Expected } from '../../domain/image/events.ts';
import type { PartialObject } from '../../domain/staging.ts';
import type { DigestThreads } from '../digests/digest-threads.ts';
import type { AddressGuard } from '../net/address-guard.ts';
import type { Connections } from '../net/connections.ts';
import { type Checkpoints, checkpoints } from './checkpoints.ts';
import { expectedDigests, nothingExpected } from './expectation.ts';
import { ChecksumMismatch } from './failures.ts';
import type { FileState } from './fetch-part.ts';
import { type KeptTexts, nothingKept } from './kept-texts.ts';
import { asJson, type Note, noteFor, urlHashOf } from './note.ts';
import { type Pace, within } from './pace.ts';
import { patience } from './patience.ts';
import { progressOf } from './progress.ts';
import { type HostSlots, hostSlots } from './slots.ts';
import { hostNamed, type Source } from './source.ts';
import { transfer } from './transfer.ts';
import { digestsOf } from './verify.ts';
import { validatorOf } from './version.ts';

export interface DownloadOptions {
  readonly guard: AddressGuard;
  readonly threads: DigestThreads;
  readonly signal: AbortSignal;
  readonly expected?: Expected;
  /** Most connections side by side for this file. */
  readonly parallel?: number;
  /** Longest silence of the server, before the connection is given up. */
  readonly stallMs?: number;
  /** Longest time without getting on, before the download is given up. Any time may pass while bytes come. */
  readonly patienceMs?: number;
  /** Before the second try; the pauses grow from there. */
  readonly firstPauseMs?: number;
  readonly limitBytes?: number;
  /** Asked before the file is let grow to so many bytes; what it rejects with ends the download. */
  readonly admit?: (bytes: number) => Promise<void>;
  readonly pace?: Pace;
  readonly slots?: HostSlots;
  readonly connections?: Connections;
  /** Vendors' files of checksums, where downloads share them. */
  readonly keptSums?: KeptTexts;
  readonly tell?: (told: Told) => void;
  /** How small a part may be that has a connection of its own. */
  readonly segmentBytes?: number;
  /** A crash may cost twice what comes within so many bytes, or so long. */
  readonly checkpointBytes?: number;
  readonly checkpointMs?: number;
}

/** How a download stands. */
export interface Told {
  readonly phase: 'waiting' | 'fetching' | 'verifying';
  readonly bytes: number;
  /** Null while nobody knows. */
  readonly total: number | null;
  readonly connections: number;
  /** What keeps it up, for the image's owner; null where nothing does. */
  readonly problem: string | null;
}

/** What was downloaded. */
export interface Downloaded {
  /** Bytes. */
  readonly size: number;
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** Where the bytes came from in the end, without query. */
  readonly finalUrl: string;
  /** Those that were expected, and found. */
  readonly digests: Readonly<Record<string, string>>;
}

const mebibyte = 1024 * 1024;
const defaults = {
  expected: nothingExpected,
  parallel: 4,
  stallMs: 60_000,
  patienceMs: 600_000,
  firstPauseMs: 100,
  limitBytes: Number.POSITIVE_INFINITY,
  admit: async () => {},
  keptSums: nothingKept,
  tell: () => {},
  pace: within(),
  segmentBytes: 8 * mebibyte,
  checkpointBytes: 32 * mebibyte,
  checkpointMs: 5_000,
} as const;

/** Slower than this in `stallMs` is a stall. */
const leastBytesPerStall = 16 * 1024;

/**
 * Fetches a file into a partial object, from where an earlier download into it was broken off, and seals it. The bytes
 * are those of one version of the file: told by a strong validator, or by a checksum, or from a single answer.
 *
 * Rejects with a `DownloadFailed`, with `StagingFull` or `StagedMissing`, with the signal's reason, or as `admit` does. What
 * has come by then stays, and can be gone on with; `close` of the object is the caller's.
 */
export async function download(
  source: Source,
  into: PartialObject,
  given: DownloadOptions,
): Promise<Downloaded> {
  const options = { ...defaults, slots: hostSlots(Number.POSITIVE_INFINITY), ...given };
  const { expected, signal, threads } = options;
  const state = into.state();
  const known = noteFor(source.url, state.note);
  if (state.sealed !== null && known !== null) return downloaded(state.sealed, known);

  const host = hostNamed(source.url);
  const telling = teller(into, options.tell);
  const waiting = patience({
    ...options,
    tell: (problem) => telling.say({ phase: 'waiting', problem }),
  });
  const common = { ...options, patience: waiting, leastBytesPerStall };
  const wanted = await expectedDigests(expected, source.url, common);
  const mayMix = Object.keys(wanted).length > 0;

  const isOfUse = known !== null && (mayMix || validatorOf(known.version) !== null);
  if (state.written.length > 0 && !isOfUse) await into.reset();
  const file: FileState & { isSecondTry: boolean } = {
    version: isOfUse ? known.version : null,
    finalUrl: known?.finalUrl ?? '',
    pieces: isOfUse ? known.pieces : 0,
    changes: known?.changes ?? 0,
    mayRange: !(known?.isSecondTry ?? false),
    isSecondTry: known?.isSecondTry ?? false,
  };
  const note = (): Note => ({
    ...file,
    version: file.version ?? unknown,
    urlHash: urlHashOf(source.url),
    digests: {},
  });
  const saving = checkpoints(into, note, options);

  const fetch = (): Promise<void> =>
    transfer({
      ...common,
      source,
      into,
      file,
      mayMix,
      expectedSize: expected.size,
      checkpoints: saving,
      progress: progressOf(into, host, waiting, leastBytesPerStall),
      wrote: () =>
        telling.say({ phase: 'fetching', problem: null, total: file.version?.size ?? null }),
      laned: (connections) => telling.say({ connections }),
    });

  for (;;) {
    await orSaved(fetch(), saving);
    const size = file.version?.size ?? 0;
    telling.say({ phase: 'verifying', total: size });
    // However long it takes to verify them, bytes that are all there are not fetched again.
    if (mayMix) await saving.now();
    const digests = await orSaved(
      digestsOf(into, size, Object.keys(wanted), threads, signal),
      saving,
    );
    const wrong = Object.entries(wanted).find(([algorithm, hex]) => digests[algorithm] !== hex);
    if (wrong === undefined) {
      const last = { ...note(), digests };
      await into.seal(size, asJson(last));
      return downloaded(size, last);
    }
    // Bytes of several answers that were no version of the file together: one answer will tell.
    if (file.pieces <= 1 || file.isSecondTry) throw mismatch(host, wrong, digests);
    await into.reset();
    Object.assign(file, { version: null, pieces: 0, mayRange: false, isSecondTry: true });
  }
}

const unknown = { size: null, etag: null, lastModified: null, isSettled: false };

/** Whatever ends it: what has come is kept. */
async function orSaved<T>(step: Promise<T>, saving: Checkpoints): Promise<T> {
  try {
    return await step;
  } catch (error) {
    // The reason counts, not that the last bytes could not be kept.
    await saving.now().catch(() => {});
    throw error;
  }
}

const downloaded = (size: number, { version, finalUrl, digests }: Note): Downloaded => ({
  size,
  etag: version.etag,
  lastModified: version.lastModified,
  finalUrl,
  digests,
});

function mismatch(
  host: string,
  [algorithm, hex]: readonly [string, string],
  digests: Readonly<Record<string, string>>,
): ChecksumMismatch {
  return new ChecksumMismatch(
    `What ${host} gives has the ${algorithm} ${digests[algorithm]}, but ${hex} was expected: ` +
      'check the URL and the checksum',
  );
}

const tellEveryMs = 200;

/** Says how it stands when a phase or a problem begins or ends, and else from time to time. */
function teller(into: PartialObject, tell: (told: Told) => void) {
  let told: Told = { phase: 'waiting', bytes: 0, total: null, connections: 0, problem: null };
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    say(news: Partial<Told>): void {
      const next = { ...told, ...news, bytes: bytesIn(into.state().written) };
      const isNews = next.phase !== told.phase || next.problem !== told.problem;
      told = next;
      if (!isNews && performance.now() - toldAt < tellEveryMs) return;
      toldAt = performance.now();
      tell(told);
    },
  };
}
