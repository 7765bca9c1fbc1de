import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** How a request ended for who sent it. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: Buffer }
  /** No connection: the request cannot have had an effect. */
  | { readonly kind: 'unsent' }
  /** The connection was lost: it may have had its effect or not. */
  | { readonly kind: 'unknown'; readonly why: string };

/** A body sent piece by piece. */
export interface SlowBody {
  readonly bytes: Buffer;
  /** Else the length is declared. */
  readonly chunked: boolean;
  readonly pieces: number;
  /** Between two pieces. */
  readonly pauseMs: number;
  /** After how many bytes the client hangs up; undefined when it does not. */
  readonly hangUpAfter?: number;
  /** When the client hangs up while it waits for the answer. */
  readonly hangUpWhen?: Promise<unknown>;
}

export interface Api {
  /** Changes when the tree is started anew. */
  url: string;
  json(method: string, path: string, body?: unknown, type?: string): Promise<Answer>;
  /** `PUT /v2/images/{id}/file`. */
  upload(imageId: string, body: SlowBody): Promise<Answer>;
  /** `PUT /v2/images/{id}/stage`. */
  stage(imageId: string, body: SlowBody): Promise<Answer>;
  close(): void;
}

const jsonPatch = 'application/openstack-images-v2.1-json-patch';
/** Longer than the service itself ever makes a client wait. */
const timeoutMs = 100_000;

/** With `others` each request goes to another gateway than the one before. */
export function apiAt(url: string, others: readonly string[] = []): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  let turn = 0;
  const nextUrl = (): string => {
    const urls = [api.url, ...others];
    turn += 1;
    return urls[turn % urls.length] ?? api.url;
  };
  const bytesTo =
    (part: 'file' | 'stage'): Api['upload'] =>
    (imageId, body) => {
      const headers = {
        'content-type': 'application/octet-stream',
        ...(body.chunked
          ? { 'transfer-encoding': 'chunked' }
          : { 'content-length': body.bytes.length }),
      };
      return ask(nextUrl(), agent, 'PUT', `/v2/images/${imageId}/${part}`, headers, (sending) =>
        sendSlowly(sending, body),
      );
    };
  const api: Api = {
    url,
    json: (method, path, body, type = method === 'PATCH' ? jsonPatch : 'application/json') => {
      const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
      const headers = bytes === undefined ? {} : { 'content-type': type };
      return ask(nextUrl(), agent, method, path, headers, async (sending) => {
        sending.end(bytes);
      });
    },
    upload: bytesTo('file'),
    stage: bytesTo('stage'),
    close: () => agent.destroy(),
  };
  return api;
}

type Sending = ReturnType<typeof request>;

function ask(
  url: string,
  agent: Agent,
  method: string,
  path: string,
  headers: Readonly<Record<string, string | number>>,
  send: (sending: Sending) => Promise<void>,
): Promise<Answer> {
  return new Promise((resolve) => {
    const sending = request(new URL(path, url), { method, agent, headers, timeout: timeoutMs });
    const unknown = (error: Error): void =>
      resolve(
        'code' in error && error.code === 'ECONNREFUSED'
          ? { kind: 'unsent' }
          : { kind: 'unknown', why: error.message },
      );
    sending.on('error', unknown);
    sending.on('timeout', () => sending.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    sending.on('response', (answer) => {
      whole(answer).then(
        (body) => resolve({ kind: 'answered', status: answer.statusCode ?? 0, body }),
        unknown,
      );
    });
    // A failure to send is told by the request's own error or by its answer.
    send(sending).catch(() => undefined);
  });
}

async function whole(answer: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function sendSlowly(sending: Sending, body: SlowBody): Promise<void> {
  const { bytes, pieces, pauseMs, hangUpAfter = Number.POSITIVE_INFINITY } = body;
  const step = Math.max(1, Math.ceil(bytes.length / pieces));
  sending.flushHeaders();
  for (let at = 0; at < bytes.length && !sending.destroyed; at += step) {
    if (at + step >= hangUpAfter) {
      await written(sending, bytes.subarray(at, hangUpAfter));
      sending.destroy(new Error('the client hung up'));
      return;
    }
    if (at > 0) await delay(pauseMs);
    await written(sending, bytes.subarray(at, at + step));
  }
  sending.end();
  await body.hangUpWhen;
  if (body.hangUpWhen !== undefined) sending.destroy(new Error('the client hung up'));
}

/** Never waits for ever on a connection that is gone. */
const written = (sending: Sending, piece: Buffer): Promise<void> =>
  new Promise((resolve) => {
    sending.once('close', () => resolve());
    sending.write(piece, () => resolve());
  });
