import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JsonObject } from '../../domain/json.ts';
import { bodyBatches } from './body-batches.ts';
import { invite } from './expect-continue.ts';
import { HttpError } from './http-error.ts';
import { decoded } from './text.ts';

/** Bytes. The largest honest document, 128 properties of some length, is far below. */
const maxJsonBytes = 1024 * 1024;
/** For the whole of a document. */
const jsonTimeoutMs = 60_000;

/** By the original's measure: a length above 0, or a transfer coding on a method that may carry a body. */
export function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (Number(length ?? 0) > 0) return true;
  return coding !== undefined && ['POST', 'PUT', 'PATCH'].includes(request.method ?? '');
}

export function expectNoBody(request: IncomingMessage): void {
  if (hasBody(request)) throw new HttpError(400, 'A body is not expected with this request.');
}

/** The request's JSON document, whatever its `Content-Type` (reference, section 1.1). */
export async function jsonBody(
  { req: request, res: response }: { req: IncomingMessage; res: ServerResponse },
  timeoutMs = jsonTimeoutMs,
): Promise<JsonObject | readonly unknown[]> {
  const parsed = parse(await textBody({ req: request, res: response }, maxJsonBytes, timeoutMs));
  if (typeof parsed !== 'object' || parsed === null)
    throw new HttpError(400, 'The request body must be a JSON object or array.');
  return parsed as JsonObject | readonly unknown[];
}

/** The request's text, of no more bytes than these. */
export async function textBody(
  { req: request, res: response }: { req: IncomingMessage; res: ServerResponse },
  mostBytes: number,
  timeoutMs: number,
): Promise<string> {
  if (!hasBody(request)) throw new HttpError(400, 'Body expected in request.');
  invite(request, response);
  return decoded(await wholeBody(request, mostBytes, timeoutMs), 'The request body');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, 'Malformed JSON in request body.', { cause: error });
  }
}

async function wholeBody(
  request: IncomingMessage,
  mostBytes: number,
  timeoutMs: number,
): Promise<Uint8Array> {
  const tooLarge = () => new HttpError(413, `The request body is larger than ${mostBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) throw tooLarge();
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new HttpError(408, 'The request body did not come in time.')),
    timeoutMs,
  );
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const batch of bodyBatches(request, late.signal))
      for (const chunk of batch) {
        size += chunk.length;
        if (size > mostBytes) throw tooLarge();
        chunks.push(chunk);
      }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, 'The request body ended early.', { cause: error });
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks);
}
