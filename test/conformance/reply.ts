import type { IncomingHttpHeaders } from 'node:http';
import { isDeepStrictEqual } from 'node:util';

/** A statement of the reference that the endpoint does not keep. */
export class Unmet extends Error {
  override readonly name = 'Unmet';
  readonly request: string;
  readonly expected: string;
  readonly got: string;
  constructor(request: string, expected: string, got: string) {
    super(`${request}\nexpected ${expected}, got ${got}`);
    this.request = request;
    this.expected = expected;
    this.got = got;
  }
}

export type Document = Readonly<Record<string, unknown>>;

/** An answer, and what a case asks of it: each question throws `Unmet` on another answer. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** One of these statuses. */
  is(...statuses: readonly number[]): Reply;
  /** The body as a JSON object. */
  json(): Document;
  /** The body as a JSON object that has these fields, whatever else it has. */
  has(fields: Document): Document;
  header(name: string, wanted: string | undefined | RegExp): Reply;
  same(what: string, got: unknown, wanted: unknown): void;
  that(what: string, holds: boolean, got?: unknown): void;
}

export function replyTo(
  request: string,
  status: number,
  headers: IncomingHttpHeaders,
  chunks: readonly Buffer[],
): Reply {
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString();
  const unmet = (expected: string, got: string): Unmet => new Unmet(request, expected, got);
  const reply: Reply = {
    status,
    headers,
    bytes,
    text,
    is(...statuses) {
      if (statuses.includes(status)) return reply;
      throw unmet(`status ${statuses.join(' or ')}`, `${status} ${plain(text)}`);
    },
    json() {
      const document = parsed(text);
      if (isDocument(document)) return document;
      throw unmet('a JSON object', plain(text));
    },
    has(fields) {
      const document = reply.json();
      for (const [name, wanted] of Object.entries(fields))
        reply.same(`${name} =`, document[name], wanted);
      return document;
    },
    header(name, wanted) {
      const value = headers[name.toLowerCase()];
      const fits =
        wanted instanceof RegExp
          ? wanted.test(String(value ?? ''))
          : isDeepStrictEqual(value, wanted);
      if (fits) return reply;
      throw unmet(`header ${name} = ${wanted}`, String(value));
    },
    same(what, got, wanted) {
      if (!isDeepStrictEqual(got, wanted)) throw unmet(`${what} ${shown(wanted)}`, shown(got));
    },
    that(what, holds, got = text) {
      if (!holds) throw unmet(what, typeof got === 'string' ? plain(got) : shown(got));
    },
  };
  return reply;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const isDocument = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 600) ?? 'nothing';

const plain = (text: string): string =>
  text
    .replace(/<title>.*?<\/title>|<[^>]*>/gs, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 600);
