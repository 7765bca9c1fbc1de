import { access } from 'node:fs/promises';
import type { Middleware } from 'koa';
import type { EventLog } from '../../../domain/event-log.ts';
import type { Metrics, Snapshot } from '../../../infra/telemetry/metrics.ts';
import type { Images } from '../../../projections/images/images.ts';

const answerWithinMs = 2_000;

/**
 * `/healthcheck` says whether a load balancer should send requests here: not when the operator put the disable file
 * there, nor while log or read model cannot be reached. `/metrics` is for Prometheus. Neither asks who calls.
 */
export const health =
  ({
    disableFile,
    log,
    images,
    metrics,
    metricsOfOthers,
  }: {
    disableFile: string;
    log: Pick<EventLog, 'head'>;
    images: Pick<Images, 'checkpoint'>;
    metrics: Metrics;
    metricsOfOthers: () => Promise<readonly Snapshot[]>;
  }): Middleware =>
  async (ctx, next) => {
    if (ctx.path === '/metrics') {
      ctx.type = metrics.contentType;
      ctx.body = await metrics.text(await metricsOfOthers().catch(() => []));
    } else if (ctx.path === '/healthcheck') {
      const trouble = (await exists(disableFile))
        ? 'DISABLED BY FILE'
        : await unreachable(() => Promise.all([log.head(), images.checkpoint()]));
      ctx.status = trouble === undefined ? 200 : 503;
      ctx.type = 'text/plain';
      ctx.body = trouble ?? 'OK';
    } else await next();
  };

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function unreachable(ask: () => Promise<unknown>): Promise<string | undefined> {
  const late = new Promise<string>((resolve) => {
    setTimeout(resolve, answerWithinMs, 'DATABASE DOES NOT ANSWER').unref();
  });
  const asked = ask().then(
    () => undefined,
    () => 'DATABASE CANNOT BE REACHED',
  );
  return Promise.race([asked, late]);
}
