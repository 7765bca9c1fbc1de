import type {
  DisabledReason,
  SecretReference,
  WebhookChange,
  WebhookEvent,
  WebhookFilter,
} from './events.ts';

/** A secret that signs: the newest, or an older one for a while. */
export interface StandingSecret extends SecretReference {
  /** ISO 8601; null for the newest. */
  readonly until: string | null;
}

export interface PresentWebhook {
  readonly status: 'enabled' | 'disabled';
  /** Null: an administrator's, for the facts of all projects. */
  readonly project: string | null;
  readonly url: string;
  readonly description: string;
  readonly filter: WebhookFilter;
  /** The newest first. */
  readonly secrets: readonly StandingSecret[];
  /** Why it is disabled. */
  readonly disabled: { readonly reason: DisabledReason; readonly message: string } | null;
  /** Everything up to here counts as delivered, whatever is forgotten. A decimal string. */
  readonly delivered: string;
  /** How often it was moved to another position by hand. */
  readonly moves: number;
  /** How often it was enabled again. */
  readonly revivals: number;
}

/** absent → enabled ⇄ disabled → removed; also enabled → removed. */
export type Webhook =
  | { readonly status: 'absent' }
  | { readonly status: 'removed' }
  | PresentWebhook;

export const isPresent = (webhook: Webhook): webhook is PresentWebhook =>
  webhook.status === 'enabled' || webhook.status === 'disabled';

export function evolve(webhook: Webhook, event: WebhookEvent): Webhook {
  if (event.type === 'WebhookRegistered') {
    const { secret, after, ...rest } = event.data;
    return {
      ...rest,
      status: 'enabled',
      secrets: [{ ...secret, until: null }],
      disabled: null,
      delivered: after,
      moves: 0,
      revivals: 0,
    };
  }
  if (!isPresent(webhook)) return webhook;
  switch (event.type) {
    case 'WebhookChanged':
      return event.data.changes.reduce(changed, webhook);
    case 'WebhookMoved':
      return { ...webhook, delivered: event.data.after, moves: webhook.moves + 1 };
    case 'WebhookDisabled':
      return { ...webhook, status: 'disabled', disabled: event.data };
    case 'WebhookEnabled':
      return { ...webhook, status: 'enabled', disabled: null, revivals: webhook.revivals + 1 };
    case 'WebhookSecretRotated': {
      const { secret, overlapUntil } = event.data;
      const before = webhook.secrets.slice(0, mostSecrets - 1).map((one) => ({
        ...one,
        until: one.until === null || one.until > overlapUntil ? overlapUntil : one.until,
      }));
      return { ...webhook, secrets: [{ ...secret, until: null }, ...before] };
    }
    case 'DeliveriesAcknowledged': {
      const { moves, upTo } = event.data;
      return moves === webhook.moves ? { ...webhook, delivered: upTo } : webhook;
    }
    case 'WebhookRemoved':
      return { status: 'removed' };
  }
}

/** How many can sign at once: each is a part of one header. */
export const mostSecrets = 4;

const changed = (webhook: PresentWebhook, change: WebhookChange): PresentWebhook =>
  change.field === 'types' || change.field === 'images'
    ? { ...webhook, filter: { ...webhook.filter, [change.field]: change.to } }
    : { ...webhook, [change.field]: change.to };
