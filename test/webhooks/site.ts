import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import { recentFacts } from '../../apps/gateway/events/recent.ts';
import { type DeliveryPace, usualPace } from '../../apps/webhooks/deliver-to.ts';
import { runDeliverer } from '../../apps/webhooks/deliverer.ts';
import { actingPart, ourWebhooks } from '../../apps/webhooks/handle.ts';
import { slots } from '../../apps/webhooks/slots.ts';
import type { EventLog } from '../../domain/event-log.ts';
import type { Access } from '../../domain/image/access.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { ours } from '../../domain/webhook/commands.ts';
import type { SignatureScheme, WebhookFilter } from '../../domain/webhook/events.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import { addressGuard } from '../../infra/net/address-guard.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { memoryProgress } from '../../infra/webhooks/memory.ts';
import { webhookPoster } from '../../infra/webhooks/post.ts';
import type { ProgressStore } from '../../infra/webhooks/progress-store.ts';
import { newSecret } from '../../infra/webhooks/signature.ts';
import { memoryVault } from '../../infra/webhooks/vault.ts';
import { memoryEvents } from '../support/gateway-events.ts';
import { memoryWebhooks } from '../support/gateway-webhooks.ts';

/** Receivers of tests are on loopback, which is allowed here by its network. */
export const guardFor = (...ports: readonly number[]) =>
  addressGuard({
    allowedHosts: [],
    disallowedHosts: [],
    allowedPorts: ports,
    disallowedPorts: [],
    allowedCidrs: ['127.0.0.0/8'],
    disallowedCidrs: [],
  });

/** No custom property is protected. */
export const unguarded: Pick<Access, 'ruleAgainst'> = { ruleAgainst: () => undefined };

export const always: Lease = { tryHold: async () => true, release: async () => {} };

export const quickPace: DeliveryPace = {
  ...usualPace,
  retrySeconds: [0.05],
  disableAfterMs: 60_000,
};

export interface Deliverer {
  stop(): Promise<void>;
}

/** A log in memory, deliverers over it, and all else that they work with. */
export function site(given: {
  readonly ports: readonly number[];
  readonly log?: EventLog;
  readonly progress?: ProgressStore;
  readonly imageAccess?: Pick<Access, 'ruleAgainst'>;
}) {
  const log = given.log ?? memoryEventLog({ upcast });
  const events = memoryEvents(log);
  const webhooks = ourWebhooks(log);
  const vault = memoryVault();
  const progress = given.progress ?? memoryProgress();
  const quiet = logger('webhooks', 'silent');
  const deadline = new AbortController().signal;
  const deliverers = new Set<Deliverer>();
  after(async () => {
    await Promise.all([...deliverers].map((one) => one.stop()));
    if (given.log === undefined) await log.close();
  });

  return {
    log,
    events,
    webhooks,
    vault,
    progress,
    perform: (webhookId: string, command: Parameters<typeof webhooks.handle>[1]) =>
      webhooks.handle(webhookId, command, actingPart('test'), deadline),
    async register(
      url: string,
      {
        project = 'red',
        filter = { types: null, images: null },
        scheme = 'v1',
      }: {
        project?: string | null;
        filter?: WebhookFilter;
        scheme?: SignatureScheme;
      } = {},
    ): Promise<{ id: string; shown: string }> {
      const id = randomUUID();
      const { reference, secret, shown } = newSecret(scheme);
      await vault.keep(reference.secretId, secret);
      const settings = { url, description: '', filter, project };
      await this.perform(id, {
        type: 'RegisterWebhook',
        by: ours,
        ...settings,
        secret: reference,
        after: await log.head(),
      });
      return { id, shown };
    },
    deliverer({
      pace = quickPace,
      lease = always,
      timeoutMs = 5_000,
    }: {
      pace?: DeliveryPace;
      lease?: Lease;
      timeoutMs?: number;
    } = {}): Deliverer {
      const stopping = new AbortController();
      const poster = webhookPoster({
        guard: guardFor(...given.ports),
        allowHttp: true,
        timeoutMs,
      });
      const running = runDeliverer(
        {
          log,
          webhooks,
          events,
          recent: recentFacts({ events, visible: events, region: 'RegionOne', logger: quiet }),
          region: 'RegionOne',
          imageAccess: given.imageAccess ?? unguarded,
          vault,
          poster,
          progress,
          slots: slots(64),
          logger: quiet,
          pace,
          onAttempt: () => {},
          registered: memoryWebhooks(log),
          leaseOf: () => lease,
          lookEveryMs: 10,
          pruneEveryMs: 60_000,
        },
        stopping.signal,
      );
      const deliverer: Deliverer = {
        async stop() {
          deliverers.delete(deliverer);
          stopping.abort();
          await running;
          poster.close();
        },
      };
      deliverers.add(deliverer);
      return deliverer;
    },
  };
}

export type Site = ReturnType<typeof site>;
