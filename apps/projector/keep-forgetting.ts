import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { forgetDownloads } from '../../infra/retention/forget-downloads.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';

/** Until the read model is there, as a rule. */
const firstMs = 60_000;
const everyMs = 3_600_000;

/** Once an hour, in every projector: what one has forgotten the next does not find. Never, where all is kept. */
export async function keepForgetting(
  pool: Pool,
  keepDays: number,
  { logger, stopping }: { readonly logger: Logger; readonly stopping: AbortSignal },
): Promise<void> {
  for (let inMs = firstMs; keepDays > 0; inMs = everyMs) {
    await delay(inMs, undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return;
    try {
      const count = await forgetDownloads(pool, keepDays);
      if (count > 0) logger.info({ count, keepDays }, 'forgot downloads of long ago');
    } catch (error) {
      logger.warn({ err: error }, 'old downloads cannot be forgotten; trying again in an hour');
    }
  }
}
