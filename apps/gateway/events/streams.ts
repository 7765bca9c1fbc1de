import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { Events } from '../../../projections/events/events.ts';
import type { GatewayContext } from '../call.ts';
import { HttpError } from '../http-error.ts';
import { Stalled, writeTo } from './outlet.ts';
import type { Recent } from './recent.ts';
import { type StreamOptions, type StreamPace, streamFacts } from './stream.ts';

/** Each costs a connection and next to no memory. */
const mostStreams = 1_000;
/** How soon a client of the usual kind comes again after its connection was lost. */
const reconnectMs = 1_000;

/** All streams of events of this process. */
export interface Streams {
  /** Answers with a stream; resolves when it has ended. Rejects while nothing was answered yet. */
  serve(
    ctx: GatewayContext,
    asked: Pick<StreamOptions, 'filter' | 'viewer'> & { readonly after: bigint | undefined },
  ): Promise<void>;
  readonly open: () => number;
  /** Ends all streams where they are; their clients find their place again elsewhere. */
  stop(): void;
}

export function streams({
  recent,
  events,
  region,
  pace,
  logger,
}: {
  recent: Recent;
  events: Events;
  region: string;
  pace: StreamPace;
  logger: Logger;
}): Streams {
  const stopping = new AbortController();
  let open = 0;

  return {
    open: () => open,
    stop: () => stopping.abort(),
    async serve(ctx, { filter, viewer, after }) {
      if (stopping.signal.aborted || open >= mostStreams)
        throw new HttpError(503, 'No more streams of events are served here just now.', {
          headers: { 'Retry-After': '1' },
        });
      const { res } = ctx;
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      open += 1;
      try {
        const leave = await recent.join();
        const signal = AbortSignal.any([gone.signal, stopping.signal]);
        const write = (text: string) => writeTo(res, text, pace.stallMs, signal);
        const from = after ?? recent.upTo;
        try {
          if (gone.signal.aborted) return;
          begin(ctx, from);
          const stream = { recent, events, region, filter, after: from, pace, viewer, write };
          await streamFacts({ ...stream, signal });
        } catch (error) {
          logger.info(
            { requestId: ctx.call.requestId, reason: (error as Error).message },
            'a stream of events ends',
          );
          if (error instanceof Stalled) res.destroy();
        } finally {
          leave();
        }
        res.end();
      } finally {
        open -= 1;
      }
    },
  };
}

/** The first lines tell a client that is cut off before its first event where to go on. */
function begin(ctx: GatewayContext, from: bigint): void {
  ctx.respond = false;
  ctx.res.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
    'x-openstack-request-id': ctx.call.requestId,
  });
  ctx.res.write(`retry: ${reconnectMs}\nid: ${from}\n\n`);
}
