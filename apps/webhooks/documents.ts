import {
  type Attempt,
  isDelivered,
  type KeptAttempt,
} from '../../infra/webhooks/progress-store.ts';
import type { WebhookRecord } from '../../projections/webhooks/webhooks.ts';

/** A webhook as it is shown: without what signs, but for public keys. */
export const webhookDocument = (record: WebhookRecord) => ({
  id: record.id,
  status: record.status,
  project: record.project,
  all_projects: record.project === null,
  url: record.url,
  description: record.description,
  types: record.filter.types,
  images: record.filter.images,
  disabled_reason: record.disabled?.reason ?? null,
  disabled_message: record.disabled?.message ?? null,
  secrets: record.secrets.map(({ secretId, scheme, publicKey, until }) => ({
    id: secretId,
    signature: scheme,
    public_key: publicKey,
    until,
  })),
  created_at: record.createdAt.toISOString(),
  updated_at: record.updatedAt.toISOString(),
});

/** One attempt as it is shown. */
export const attemptDocument = (attempt: Attempt) => ({
  event: attempt.eventId,
  position: attempt.position === null ? null : String(attempt.position),
  type: attempt.type,
  at: attempt.at.toISOString(),
  attempt: attempt.attempt,
  took_ms: attempt.tookMs,
  delivered: isDelivered(attempt),
  status: attempt.status,
  error: attempt.error,
  manual: attempt.manual,
});

export const keptAttemptDocument = (attempt: KeptAttempt) => ({
  number: String(attempt.number),
  ...attemptDocument(attempt),
});
