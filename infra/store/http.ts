import type { IncomingMessage } from 'node:http';
import { ObjectMissing, type StoredObject, StoreUnavailable } from '../../domain/store.ts';
import { type AddressGuard, HostUnknown, UrlRefused } from '../net/address-guard.ts';
import { guardedRequest } from '../net/guarded-request.ts';

/** Bytes that others serve. A key is their URL. */
export interface HttpStore {
  /**
   * Rejects with `ObjectMissing` where the server says that there is nothing, `UrlRefused` where the guard lets nobody go,
   * `StoreUnavailable` where the server cannot be asked or does not say how much there is.
   */
  open(url: string): Promise<StoredObject>;
}

/** A read may take so many times the longest silence: a server that drips holds nobody for ever. */
const slowestRead = 4;

/** What a HEAD that is not understood is answered with by one or the other server. */
const headRefused: ReadonlySet<number> = new Set([400, 403, 405, 501]);

/**
 * A read-only store over HTTP. Reads that follow one another share one response; any other offset asks anew with `Range`,
 * and a server that knows no ranges is read from its beginning. What has another size than it had is an error.
 */
export function httpStore(guard: AddressGuard, timeoutMs: number): HttpStore {
  const get = (url: string, range: string) =>
    guardedRequest(guard, url, { method: 'GET', headers: { Range: range }, timeoutMs });

  const sizeOf = async (url: string): Promise<number> => {
    const head = await guardedRequest(guard, url, { method: 'HEAD', timeoutMs });
    head.response.destroy();
    if (!headRefused.has(head.status)) {
      requireFound(url, head.status, [200]);
      const size = lengthOf(head.response);
      if (size !== undefined) return size;
    }
    const { response, status } = await get(url, 'bytes=0-0');
    response.destroy();
    requireFound(url, status, [200, 206]);
    const size = status === 206 ? partOf(response)?.whole : lengthOf(response);
    if (size === undefined) throw new Error('the server does not say how many bytes there are');
    return size;
  };

  /** A response whose next byte is the one at `offset`. */
  const from = async (url: string, offset: number, size: number): Promise<Body> => {
    const { response, status } = await get(url, `bytes=${offset}-`);
    try {
      requireFound(url, status, [200, 206]);
      if ((response.headers['content-encoding'] ?? 'identity') !== 'identity')
        throw new Error('the server encodes what it gives');
      if (status === 200) {
        const length = lengthOf(response);
        if (length !== undefined && length !== size) throw changed(size, length);
        return begun(response, 0);
      }
      const part = partOf(response);
      if (part?.start !== offset) throw new Error('the server gives another range than was asked');
      if (part.whole !== undefined && part.whole !== size) throw changed(size, part.whole);
      return begun(response, offset);
    } catch (error) {
      response.destroy();
      throw error;
    }
  };

  return {
    async open(url) {
      const size = await orUnavailable(url, sizeOf(url));
      let body: Body | undefined;
      const drop = (): void => {
        body?.response.destroy();
        body = undefined;
      };
      return {
        size,
        async read(into, offset) {
          const wanted = Math.min(into.length, size - offset);
          if (wanted <= 0) return 0;
          // A response that broke, or ran into its silence, while nobody read it.
          if (body?.offset !== offset || body.response.destroyed) drop();
          const slow = setTimeout(
            () => body?.response.destroy(new Error('the server is too slow')),
            slowestRead * timeoutMs,
          );
          try {
            body ??= await orUnavailable(url, from(url, offset, size));
            await orUnavailable(url, pass(body, offset));
            await orUnavailable(url, fill(body, into.subarray(0, wanted)));
            return wanted;
          } catch (error) {
            drop();
            throw error;
          } finally {
            clearTimeout(slow);
          }
        },
        async close() {
          drop();
        },
      };
    },
  };
}

interface Body {
  readonly response: IncomingMessage;
  /** Of the next byte. */
  offset: number;
  /** What has come from there on and was not wanted yet. */
  rest: Buffer;
}

const begun = (response: IncomingMessage, offset: number): Body => ({
  response,
  offset,
  rest: Buffer.alloc(0),
});

async function pass(body: Body, offset: number): Promise<void> {
  while (body.offset < offset) await take(body, offset - body.offset);
}

async function fill(body: Body, into: Uint8Array): Promise<void> {
  for (let filled = 0; filled < into.length; ) {
    const chunk = await take(body, into.length - filled);
    into.set(chunk, filled);
    filled += chunk.length;
  }
}

/** The next bytes, one at least and at most so many. */
async function take(body: Body, most: number): Promise<Buffer> {
  if (body.rest.length === 0) body.rest = await nextChunk(body);
  const chunk = body.rest.subarray(0, most);
  body.rest = body.rest.subarray(chunk.length);
  body.offset += chunk.length;
  return chunk;
}

function nextChunk({ response, offset }: Body): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const read = (): void => {
      const chunk: Buffer | null = response.read();
      if (chunk !== null) settle(() => resolve(chunk));
    };
    const ended = (): void =>
      settle(() => reject(response.errored ?? new Error(`the bytes end at ${offset}`)));
    const settle = (outcome: () => void): void => {
      response.off('readable', read).off('end', ended).off('close', ended).off('error', ended);
      outcome();
    };
    response.on('readable', read).on('end', ended).on('close', ended).on('error', ended);
    if (response.destroyed || response.readableEnded) ended();
    else read();
  });
}

/** Of the whole object, where a response without ranges says so. */
function lengthOf({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

function partOf({ headers }: IncomingMessage) {
  const [, start, whole] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '') ?? [];
  if (start === undefined) return undefined;
  return { start: Number(start), whole: whole === '*' ? undefined : Number(whole) };
}

function requireFound(url: string, status: number, wanted: readonly number[]): void {
  if (status === 404 || status === 410) throw new ObjectMissing(url);
  if (!wanted.includes(status)) throw new Error(`the server answers ${status}`);
}

const changed = (was: number, is: number): Error =>
  new Error(`the bytes have changed: there were ${was}, now ${is}`);

async function orUnavailable<T>(url: string, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof ObjectMissing || error instanceof UrlRefused) throw error;
    const host = URL.canParse(url) ? new URL(url).host : '';
    const why =
      error instanceof HostUnknown ? error.message : `${host} does not give what is needed`;
    throw new StoreUnavailable(why, error);
  }
}
