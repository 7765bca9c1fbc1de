import type { IncomingMessage } from 'node:http';
import type { Middleware } from 'koa';
import { hasBody } from './body.ts';
import { holdsBodyBack } from './expect-continue.ts';

/** How long a client may go on sending what nobody reads, so that it gets to read its answer. */
const lingerMs = 5_000;

/**
 * Closes the connection behind an answer that was given before the whole body was read. The answer goes out at once,
 * but the connection ends only when the client has stopped sending: closed earlier, the answer could be lost.
 */
export const unreadBody: Middleware = async (ctx, next) => {
  await next();
  const { req, res } = ctx;
  if (!hasBody(req) || req.complete || req.destroyed || ctx.headerSent) return;
  ctx.set('Connection', 'close');
  if (holdsBodyBack(req)) return;
  ctx.respond = false;
  const isText = typeof ctx.body === 'string' || ctx.body instanceof Uint8Array;
  const body: string | Uint8Array = isText ? ctx.body : JSON.stringify(ctx.body ?? '');
  ctx.length = Buffer.byteLength(body);
  res.write(body);
  await stoppedSending(req);
  res.end();
};

function stoppedSending(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, lingerMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.on('error', done).on('end', done).on('close', done).resume();
  });
}
