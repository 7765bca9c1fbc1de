import { setTimeout as delay } from 'node:timers/promises';
import type { Lease } from '../../infra/leases/lease.ts';
import type { ProgressStore } from '../../infra/webhooks/progress-store.ts';
import type { WebhookRecord, Webhooks } from '../../projections/webhooks/webhooks.ts';
import { type DeliveryPorts, deliverTo } from './deliver-to.ts';

export interface DelivererPorts extends Omit<DeliveryPorts, 'progress'> {
  readonly registered: Pick<Webhooks, 'enabled' | 'all'>;
  readonly progress: ProgressStore;
  /** Held by the one process that tells a webhook. Two for a moment would do no harm: see `ProgressStore.claim`. */
  readonly leaseOf: (webhookId: string) => Lease;
  /** How often it is looked which webhooks there are, and whose they are. */
  readonly lookEveryMs: number;
  readonly pruneEveryMs: number;
}

interface Running {
  readonly revision: number;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

const failedPauseMs = 1_000;

/** Tells every webhook whose lease this process holds, until the signal aborts. */
export async function runDeliverer(ports: DelivererPorts, signal: AbortSignal): Promise<void> {
  const { registered, logger, lookEveryMs, pruneEveryMs } = ports;
  const running = new Map<string, Running>();
  const leases = new Map<string, Lease>();

  const leaseOf = (webhookId: string): Lease => {
    const known = leases.get(webhookId) ?? ports.leaseOf(webhookId);
    leases.set(webhookId, known);
    return known;
  };

  const start = ({ id, revision }: WebhookRecord): void => {
    const stop = new AbortController();
    const done = deliverTo(id, ports, stop.signal)
      .catch(async (error) => {
        if (stop.signal.aborted) return;
        logger.warn({ err: error, webhookId: id }, 'a webhook cannot be told; trying again');
        await delay(failedPauseMs, undefined, { signal: stop.signal }).catch(() => {});
      })
      .finally(() => {
        if (running.get(id)?.stop === stop) running.delete(id);
      });
    running.set(id, { revision, stop, done });
  };

  const end = async (webhookId: string): Promise<void> => {
    const one = running.get(webhookId);
    one?.stop.abort();
    await one?.done;
  };

  const lookAt = async (webhook: WebhookRecord): Promise<void> => {
    const held = await leaseOf(webhook.id).tryHold();
    const now = running.get(webhook.id);
    if (now !== undefined && (!held || now.revision !== webhook.revision)) now.stop.abort();
    else if (held && now === undefined && !signal.aborted) start(webhook);
  };

  const look = async (): Promise<void> => {
    const wanted = await registered.enabled();
    const ids = new Set(wanted.map(({ id }) => id));
    for (const [id, lease] of leases)
      if (!ids.has(id)) {
        running.get(id)?.stop.abort();
        if (running.has(id)) continue;
        leases.delete(id);
        await lease.release();
      }
    await Promise.all(wanted.map(lookAt));
  };

  let prunedAt = performance.now();
  while (!signal.aborted) {
    try {
      await look();
      if (performance.now() - prunedAt > pruneEveryMs) {
        prunedAt = performance.now();
        await ports.progress.prune((await registered.all()).map(({ id }) => id));
      }
    } catch (error) {
      logger.warn({ err: error }, 'webhooks cannot be looked after; trying again');
    }
    await delay(lookEveryMs, undefined, { signal }).catch(() => {});
  }
  await Promise.all([...running.keys()].map(end));
  await Promise.all([...leases.values()].map((lease) => lease.release().catch(() => {})));
}
