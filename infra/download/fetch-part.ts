import { contiguous, gaps } from '../../domain/extents.ts';
import type { PartialObject } from '../../domain/staging.ts';
import { type Answer, type Asked, answerOf } from './answer.ts';
import { bodyOf } from './body.ts';
import type { Checkpoints } from './checkpoints.ts';
import {
  ChecksumMismatch,
  Setback,
  SourceLied,
  SourceRefused,
  SourceTooLarge,
} from './failures.ts';
import type { Pace } from './pace.ts';
import type { Progress } from './progress.ts';
import { get, type Reach, type Reply, type Source } from './source.ts';
import { isSame, maySame, type Version, validatorOf } from './version.ts';

/** What is known of the file, and how to go on with it. */
export interface FileState {
  version: Version | null;
  /** Without query. */
  finalUrl: string;
  /** How many answers the bytes came from. */
  pieces: number;
  /** How often it became another. */
  changes: number;
  /** False where ranges are of no use, so that the file is asked for as a whole. */
  mayRange: boolean;
}

export interface PartOptions extends Reach {
  readonly source: Source;
  readonly into: PartialObject;
  readonly file: FileState;
  /** Bytes of several answers may be put together though nothing shows that they are of one version: a checksum will. */
  readonly mayMix: boolean;
  readonly expectedSize: number | null;
  readonly limitBytes: number;
  /** Asked before the file is let grow to so many bytes. */
  admit(bytes: number): Promise<void>;
  /** What comes slower than so many bytes in `stallMs` does not come. */
  readonly leastBytesPerStall: number;
  readonly pace: Pace;
  readonly progress: Progress;
  readonly checkpoints: Checkpoints;
  /** Told of each write. */
  wrote(): void;
}

/** The file is not what it was. */
export class Changed extends Error {}

/** What is there cannot be gone on with. */
export class StartOver extends Error {}

type Bytes = Answer & { readonly kind: 'bytes' };

/**
 * Asks for a part of the file and writes what comes. Rejects with `Changed` or `StartOver`, with `Setback` where another
 * try may do, or for good. Where the server gives all instead, that is taken if nobody else is writing (`isAlone`).
 */
export async function fetchPart(
  options: PartOptions,
  part: Asked,
  isAlone: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { file, into, mayMix } = options;
  const isEmpty = into.state().written.length === 0;
  const asked = file.mayRange ? part : null;
  const headers = rangeHeaders(asked, isEmpty ? null : file.version);
  const reply = await get(options.source, options, headers, signal);
  try {
    const answer = answerOf(reply.response, reply.host, asked);
    if (answer.kind === 'no-ranges') return withoutRanges(file, answer.why);
    if (answer.kind === 'beyond') return await beyond(options, answer.size, isEmpty, reply);
    if (file.version === null || isEmpty) await adopt(options, answer.version, reply);
    else if (!maySame(file.version, answer.version)) throw new Changed();
    else if (!mayMix && !isSame(file.version, answer.version)) throw new StartOver();
    if (!answer.isRange && !isAlone()) throw new Setback(`${reply.host} gives no range`);
    const isAll = answer.start === 0 && (!answer.isRange || answer.end === answer.version.size);
    if (!isAll && !mayMix && validatorOf(answer.version) === null)
      return withoutRanges(file, 'does not say which version of the file it gives');
    await takeBody(options, reply, answer, signal);
  } finally {
    if (!reply.response.readableEnded) reply.response.destroy();
  }
}

function rangeHeaders(asked: Asked | null, known: Version | null) {
  if (asked === null) return {};
  const range = `bytes=${asked.start}-${asked.end === null ? '' : asked.end - 1}`;
  const validator = known === null ? null : validatorOf(known);
  return validator === null ? { Range: range } : { Range: range, 'If-Range': validator };
}

function withoutRanges(file: FileState, why: string): never {
  file.mayRange = false;
  throw new StartOver(`the server ${why}`);
}

/** Nothing is there where a range begins: of an empty file, or of one that was longer. */
async function beyond(
  options: PartOptions,
  size: number | null,
  isEmpty: boolean,
  reply: Reply,
): Promise<void> {
  if (!isEmpty) throw new Changed();
  if (size !== 0) withoutRanges(options.file, 'has nothing at the first byte');
  await adopt(options, { size, etag: null, lastModified: null, isSettled: false }, reply);
}

/** Everything that can be said of a version before its bytes come. */
async function adopt(options: PartOptions, version: Version, reply: Reply): Promise<void> {
  if (version.size !== null) {
    requireSize(options, version.size, reply.host);
    await options.admit(version.size);
  }
  options.file.version = version;
  options.file.finalUrl = reply.url.origin + reply.url.pathname;
}

async function takeBody(
  options: PartOptions,
  reply: Reply,
  answer: Bytes,
  signal: AbortSignal,
): Promise<void> {
  const { file, into, progress } = options;
  const { start, end } = answer;
  const stall = { stallMs: options.stallMs, leastBytes: options.leastBytesPerStall };
  const wanted = answer.isRange ? start : firstMissing(options);
  file.pieces += 1;
  let at = start;
  let writing: Promise<void> = Promise.resolve();

  const write = async (offset: number, bytes: Uint8Array): Promise<void> => {
    await into.writeAt(offset, [bytes]);
    progress.count();
    options.wrote();
    await options.checkpoints.wrote(bytes.length);
  };

  try {
    for await (const chunk of bodyOf(reply, stall)) {
      await options.pace.take(chunk.length, signal);
      if (end !== null && at + chunk.length > end)
        throw new SourceLied(`${reply.host} gives more bytes than it says: use another server`);
      if (end === null) await grow(options, at + chunk.length, reply.host);
      await writing;
      const passed = Math.min(Math.max(wanted - at, 0), chunk.length);
      if (passed < chunk.length) writing = write(at + passed, chunk.subarray(passed));
      // It is waited for at the next chunk, or below.
      writing.catch(() => {});
      at += chunk.length;
    }
    await writing;
  } catch (error) {
    await writing.catch(() => {});
    signal.throwIfAborted();
    throw error instanceof Setback ? progress.endedEarly(error, at, end) : error;
  }
  if (end !== null && at < end)
    throw progress.endedEarly(new Setback(`${reply.host} broke off`), at, end);
  if (end === null) takeEnd(options, at, answer, reply.host);
}

function firstMissing({ file, into }: PartOptions): number {
  const { written } = into.state();
  const size = file.version?.size ?? null;
  return (size === null ? undefined : gaps(written, size)[0]?.start) ?? contiguous(written);
}

/** Of a file whose size nobody tells. */
async function grow(options: PartOptions, bytes: number, host: string): Promise<void> {
  if (bytes > options.limitBytes) throw tooLarge(host, options.limitBytes);
  await options.admit(bytes);
}

/** The answer ended, and nobody had said where it would. */
function takeEnd(options: PartOptions, size: number, { hasEnd, version }: Bytes, host: string) {
  if (!hasEnd && !options.mayMix && options.expectedSize === null)
    throw new SourceRefused(
      `${host} does not say how long the file is, so that a broken download cannot be told from a whole one: ` +
        'give a checksum with the URL, or use another server',
    );
  requireSize(options, size, host);
  options.file.version = { ...version, size };
}

function requireSize(
  { expectedSize, limitBytes }: Pick<PartOptions, 'expectedSize' | 'limitBytes'>,
  size: number,
  host: string,
): void {
  if (expectedSize !== null && size !== expectedSize)
    throw new ChecksumMismatch(
      `${host} gives ${size} bytes, but ${expectedSize} were expected: check the URL and the size`,
    );
  if (size > limitBytes) throw tooLarge(host, limitBytes);
}

const tooLarge = (host: string, limitBytes: number): SourceTooLarge =>
  new SourceTooLarge(
    `${host} gives more than the ${limitBytes} bytes that an image may have: make it smaller, or ask the operator`,
  );
