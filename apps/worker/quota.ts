import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Refused } from '../../domain/refused.ts';
import type { DeathWatch } from '../../infra/leases/death-watch.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { ProjectReservation, Quotas } from '../../projections/quota/quotas.ts';
import { type SettlingPorts, settleReservation } from '../quota-settling.ts';

export interface QuotaSettlerPorts extends SettlingPorts {
  readonly quotas: Pick<Quotas, 'openReservations'>;
  readonly watch: Pick<DeathWatch, 'isDead'>;
  readonly logger: Logger;
  /** A living process gets this long before anybody looks whether it has forgotten to settle. */
  readonly patienceMs: number;
}

interface Seen {
  tries: number;
  notBefore: number;
}

const firstRetryMs = 1_000;
const longestRetryMs = 10_000;
const deadlineMs = 15_000;

/**
 * Settles what processes left open in projects' quotas: what they had reserved when they died, and uploads that ended
 * after nobody waited for them any more. Every worker does this, with no leader; doing it twice changes nothing.
 */
export function quotaSettler({ patienceMs, ...ports }: QuotaSettlerPorts) {
  const { quotas, watch, logger } = ports;
  let seen = new Map<string, Seen>();

  const settle = (reservation: ProjectReservation, isDead: boolean): Promise<boolean> => {
    const { projectId, ...rest } = reservation;
    const requestId = `req-${randomUUID()}`;
    const actor = { kind: 'system', part: 'worker' } as const;
    const metadata = { actor, requestId, correlationId: reservation.reservationId };
    const deadline = AbortSignal.timeout(deadlineMs);
    return settleReservation(ports, projectId, rest, isDead, metadata, deadline);
  };

  /** One look at everything that is open, at `now` by a clock in milliseconds that never goes back. */
  return async function settleOpen(now: number, signal: AbortSignal): Promise<void> {
    const open = await quotas.openReservations();
    const before = seen;
    seen = new Map();
    for (const reservation of open) {
      if (signal.aborted) return;
      const isDead = watch.isDead(reservation.owner);
      const key = `${reservation.reservationId}/${isDead}`;
      const one = before.get(key) ?? { tries: 0, notBefore: isDead ? now : now + patienceMs };
      seen.set(key, one);
      if (now < one.notBefore) continue;
      try {
        if ((await settle(reservation, isDead)) && isDead)
          logger.info(reservation, 'settled what a dead process had reserved');
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Refused))
          logger.warn({ err: error, ...reservation }, 'a reservation cannot be settled');
      }
      one.notBefore = now + Math.min(firstRetryMs * 2 ** one.tries, longestRetryMs);
      one.tries += 1;
    }
  };
}

/** Looks each `intervalMs` until `stopping` aborts. */
export async function settleQuotas(
  ports: QuotaSettlerPorts,
  intervalMs: number,
  stopping: AbortSignal,
): Promise<void> {
  const settleOpen = quotaSettler(ports);
  while (!stopping.aborted) {
    await settleOpen(performance.now(), stopping).catch((error) => {
      if (!stopping.aborted) ports.logger.warn({ err: error }, 'settling quotas failed');
    });
    await delay(intervalMs, undefined, { signal: stopping }).catch(() => {});
  }
}
