import { setTimeout as delay } from 'node:timers/promises';
import { type RelayOptions, relayStretches } from '../../infra/bus/nats/relay.ts';
import { byTurns } from '../../infra/leases/by-turns.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';

export interface LaneOptions extends Omit<RelayOptions, 'logger'> {
  readonly logger: Logger;
  /** Held by the one relay that fills the stream. Two would do no harm: they refuse each other. */
  readonly lease: Lease;
  readonly stopping: AbortSignal;
  /** The stream is another's to fill. */
  readonly onStandby: () => void;
  readonly leasePollMs?: number;
}

/** Keeps one stream at the log's head, while the lease is ours, until it is asked to stop. */
export async function runLane(options: LaneOptions): Promise<void> {
  const { logger, lease, stopping, leasePollMs = 200 } = options;
  const stretch = relayStretches({ ...options, logger });
  await byTurns({
    lease,
    stopping,
    pollMs: leasePollMs,
    look: async () => {},
    async work() {
      const held = whileHeld(lease, leasePollMs, stopping);
      try {
        await stretch(held.signal);
      } finally {
        await held.stop();
      }
    },
    standBy: options.onStandby,
    failed(error) {
      logger.warn({ err: error }, 'the relay looks again where it was');
      return 'pause';
    },
  });
}

/** A signal that aborts when the lease is another's. That it cannot be asked about changes nothing: JetStream is the fence. */
function whileHeld(lease: Lease, everyMs: number, stopping: AbortSignal) {
  const lost = new AbortController();
  const signal = AbortSignal.any([stopping, lost.signal]);
  const look = async (): Promise<void> => {
    while (!signal.aborted) {
      await delay(everyMs, undefined, { signal }).catch(() => {});
      if (!(await lease.tryHold().catch(() => true))) lost.abort();
    }
  };
  const looking = look();
  return {
    signal,
    async stop() {
      lost.abort();
      await looking;
    },
  };
}
