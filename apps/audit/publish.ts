import { setTimeout as delay } from 'node:timers/promises';
import type { AuditMemory } from '../../infra/audit/memory.ts';
import type { CheckpointTarget } from '../../infra/audit/targets/target.ts';
import type { Log } from '../../infra/postgres/log.ts';

export interface PublisherOptions {
  readonly memory: Pick<AuditMemory, 'newest' | 'deliveries' | 'delivered'>;
  readonly targets: readonly CheckpointTarget[];
  readonly everyMs: number;
  readonly isActive: () => Promise<boolean>;
  readonly logger: Log;
  readonly stopping: AbortSignal;
}

/** Sends the newest checkpoint to each place that does not have it. One that was missed is in every later one. */
export async function publishCheckpoints(options: PublisherOptions): Promise<void> {
  const { targets, everyMs, isActive, logger, stopping } = options;
  while (targets.length > 0 && !stopping.aborted) {
    try {
      if (await isActive()) await publishNewest(options);
    } catch (error) {
      if (!stopping.aborted) logger.warn({ err: error }, 'checkpoints cannot be sent');
    }
    await delay(everyMs, undefined, { signal: stopping }).catch(() => {});
  }
  for (const target of targets) target.close();
}

export async function publishNewest({
  memory,
  targets,
  logger,
}: Pick<PublisherOptions, 'memory' | 'targets' | 'logger'>): Promise<void> {
  const newest = await memory.newest();
  if (newest === undefined) return;
  const had = new Map((await memory.deliveries()).map(({ target, size }) => [target, size]));
  for (const target of targets) {
    if ((had.get(target.name) ?? 0) >= newest.size) continue;
    try {
      await target.send(newest);
      await memory.delivered(target.name, newest.size, null);
    } catch (error) {
      const { message } = error as Error;
      logger.warn({ err: error, target: target.name }, 'a checkpoint could not be sent');
      await memory.delivered(target.name, newest.size, message);
    }
  }
}
