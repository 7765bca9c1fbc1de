import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Setback, SourceGone, SourceRefused } from './failures.ts';
import { type Version, versionOf } from './version.ts';

/** What a GET asked for: bytes up to, not including, `end`, or to the last one where it is null. */
export interface Asked {
  readonly start: number;
  readonly end: number | null;
}

/** What a server makes of a GET. */
export type Answer =
  /** Bytes of the file from `start` on: all to its end, or up to `end` of a range that was asked for. */
  | {
      readonly kind: 'bytes';
      readonly start: number;
      /** Null where only the end of the answer says it. */
      readonly end: number | null;
      readonly version: Version;
      readonly isRange: boolean;
      /** The end of the answer is told from a connection that broke. */
      readonly hasEnd: boolean;
    }
  /** There is nothing where the range begins; `size` is the file's, where it is told. */
  | { readonly kind: 'beyond'; readonly size: number | null }
  /** The server gives no ranges, or not those that it is asked for; `why` completes "the server ...". */
  | { readonly kind: 'no-ranges'; readonly why: string };

const gone: ReadonlySet<number> = new Set([404, 410]);
const passing: ReadonlySet<number> = new Set([408, 421, 425, 429]);
/** What a server that does not know `Range` might answer with. */
const rangeRefused: ReadonlySet<number> = new Set([400, 501]);

/** Throws `Setback`, `SourceGone` or `SourceRefused` where the answer is no bytes. `asked` is null where no range was. */
export function answerOf(response: IncomingMessage, host: string, asked: Asked | null): Answer {
  const { headers, statusCode: status = 0 } = response;
  if (status === 200) return whole(response, host);
  if (status === 206 && asked !== null) return part(headers, host, asked);
  if (status === 416 && asked !== null)
    return { kind: 'beyond', size: numberIn(/^bytes \*\/(\d{1,15})$/, headers['content-range']) };
  if (gone.has(status))
    throw new SourceGone(`${host} has no such file (it answers ${status}): check the URL`);
  if (asked !== null && rangeRefused.has(status))
    return { kind: 'no-ranges', why: `answers ${status} to a request for a range` };
  if (status >= 500 || passing.has(status))
    throw new Setback(`${host} answers ${status}`, undefined, retryAfterMs(headers));
  if (status === 401 || status === 403 || status === 407 || status === 451)
    throw new SourceRefused(
      `${host} does not let us have the file (it answers ${status}): give a URL that needs no login`,
    );
  throw new SourceRefused(
    `${host} answers ${status} instead of the file: give a URL that leads to the file itself`,
  );
}

function whole({ headers, httpVersion }: IncomingMessage, host: string): Answer {
  requirePlain(headers, host);
  const size = lengthOf(headers);
  const isChunked = /chunked/i.test(headers['transfer-encoding'] ?? '') && httpVersion !== '1.0';
  const hasEnd = size !== null || isChunked;
  const version = versionOf(headers, size);
  return { kind: 'bytes', start: 0, end: size, version, isRange: false, hasEnd };
}

function part(headers: IncomingHttpHeaders, host: string, asked: Asked): Answer {
  const noRanges = (why: string): Answer => ({ kind: 'no-ranges', why });
  if (/^multipart\//i.test(headers['content-type'] ?? ''))
    return noRanges('answers with several parts where one range was asked for');
  requirePlain(headers, host);
  const [, first, last, total] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers['content-range'] ?? '') ?? [];
  if (first === undefined)
    return noRanges(`does not say which part of how much it gives (${headers['content-range']})`);
  const range = { start: Number(first), end: Number(last) + 1, size: Number(total) };
  if (range.start !== asked.start || range.end > range.size || range.end <= range.start)
    return noRanges(`gives another range than it is asked for (${headers['content-range']})`);
  if (asked.end !== null && range.end > asked.end)
    return noRanges(`gives more than it is asked for (${headers['content-range']})`);
  const length = lengthOf(headers);
  if (length !== null && length !== range.end - range.start)
    return noRanges(`gives ${length} bytes and calls them ${headers['content-range']}`);
  const version = versionOf(headers, range.size);
  const { start, end } = range;
  return { kind: 'bytes', start, end, version, isRange: true, hasEnd: true };
}

function requirePlain(headers: IncomingHttpHeaders, host: string): void {
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return;
  throw new SourceRefused(
    `${host} compresses what it gives (Content-Encoding: ${encoding.slice(0, 40)}) though it was asked not to: ` +
      'have that turned off there, or give the URL of another server',
  );
}

const lengthOf = (headers: IncomingHttpHeaders): number | null =>
  numberIn(/^(\d{1,15})$/, headers['content-length']);

function numberIn(form: RegExp, text: string | undefined): number | null {
  const [, digits] = form.exec(text ?? '') ?? [];
  return digits === undefined ? null : Number(digits);
}

/** Seconds or a date (RFC 9110, 10.2.3); null where it is neither. */
function retryAfterMs(headers: IncomingHttpHeaders): number | null {
  const asked = headers['retry-after'];
  if (asked === undefined) return null;
  const ms = /^\d{1,9}$/.test(asked) ? Number(asked) * 1_000 : Date.parse(asked) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
