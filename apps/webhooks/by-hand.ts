import { randomUUID } from 'node:crypto';
import type { Access } from '../../domain/image/access.ts';
import { documentFor } from '../../infra/outside/document-for.ts';
import { testDocument } from '../../infra/outside/webhook-test.ts';
import type { Poster } from '../../infra/webhooks/post.ts';
import type { Attempt, ProgressStore } from '../../infra/webhooks/progress-store.ts';
import type { Vault } from '../../infra/webhooks/vault.ts';
import type { Events } from '../../projections/events/events.ts';
import type { WebhookRecord } from '../../projections/webhooks/webhooks.ts';
import { readerOf } from './reader.ts';
import { keysOf, type Telling, tell } from './tell.ts';

/** Single attempts that somebody asks for, whatever the state of the webhook. They move nothing of its progress. */
export interface ByHand {
  /** A document that is about nothing. */
  test(webhook: WebhookRecord): Promise<Attempt>;
  /** A fact by its event's id, of which there was an attempt before, or by its position; undefined when there is none for it. */
  redeliver(webhook: WebhookRecord, fact: string | bigint): Promise<Attempt | undefined>;
}

export interface ByHandPorts {
  readonly poster: Pick<Poster, 'post'>;
  readonly vault: Vault;
  readonly events: Events;
  readonly progress: Pick<ProgressStore, 'attempts' | 'record'>;
  readonly region: string;
  readonly imageAccess: Pick<Access, 'ruleAgainst'>;
}

export function byHand({
  poster,
  vault,
  events,
  progress,
  region,
  imageAccess,
}: ByHandPorts): ByHand {
  const attempt = async (webhook: WebhookRecord, telling: Telling): Promise<Attempt> => {
    const keys = await keysOf(vault, webhook.secrets);
    const how = { attempt: 1, manual: true };
    const { attempt: made } = await tell(poster, { url: webhook.url, keys }, telling, how);
    await progress.record(webhook.id, made);
    return made;
  };

  const positionOf = async (webhookId: string, eventId: string): Promise<bigint | undefined> => {
    const [last] = await progress.attempts(webhookId, { eventId, limit: 1 });
    return last?.position ?? undefined;
  };

  return {
    test(webhook) {
      const id = randomUUID();
      const document = testDocument(webhook.id, { id, region, at: new Date() });
      const body = JSON.stringify(document);
      return attempt(webhook, { eventId: id, position: null, type: 'Test', body });
    },

    async redeliver(webhook, fact) {
      const position = typeof fact === 'bigint' ? fact : await positionOf(webhook.id, fact);
      if (position === undefined || position <= 0n) return undefined;
      const viewer = readerOf(webhook.project, imageAccess);
      const upTo = min(position, await events.checkpoint());
      const query = { viewer, filter: {}, after: position - 1n, upTo, limit: 1 };
      const [told] = (await events.page(query)).events;
      if (told === undefined) return undefined;
      return attempt(webhook, {
        eventId: told.event.id,
        position,
        type: told.event.type,
        body: JSON.stringify(documentFor(told, viewer, region)),
      });
    },
  };
}

const min = (one: bigint, other: bigint): bigint => (one < other ? one : other);
