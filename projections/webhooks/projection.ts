import type { RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type WebhookEvent, webhookPrefix } from '../../domain/webhook/events.ts';
import {
  evolve,
  isPresent,
  type PresentWebhook,
  type Webhook,
} from '../../domain/webhook/state.ts';
import type { Entry, Projection, Table } from '../projection.ts';
import type { WebhookRecord } from './webhooks.ts';

export type WebhookParts = { readonly webhook: WebhookRecord };

const webhookTable: Table<WebhookRecord> = {
  columns: {
    project: 'text',
    status: 'text not null',
    revision: 'integer not null',
    created_at: 'timestamptz(3) not null',
    updated_at: 'timestamptz(3) not null',
    state: 'json not null',
  },
  storage: 'fillfactor = 70',
  distinct: {},
  longest: { project: 1020 },
  indexes: {
    webhook_by_project: '(project, id)',
    webhook_enabled: `(id) where status = 'enabled'`,
  },
  toJson({ id, revision, createdAt, updatedAt, ...state }) {
    const { project, status } = state;
    const row = { project, status, revision, created_at: createdAt, updated_at: updatedAt, state };
    return row as unknown as JsonObject;
  },
  fromJson: (json, id) => webhookFrom({ ...(json as unknown as WebhookRow), id }),
};

export interface WebhookRow {
  readonly id: string;
  readonly revision: number;
  readonly created_at: string | Date;
  readonly updated_at: string | Date;
  readonly state: PresentWebhook;
}

export const webhookFrom = ({
  id,
  revision,
  created_at,
  updated_at,
  state,
}: WebhookRow): WebhookRecord => ({
  ...state,
  id,
  revision,
  createdAt: new Date(created_at),
  updatedAt: new Date(updated_at),
});

const idOf = ({ streamId }: RecordedEvent): string | undefined =>
  streamId.startsWith(webhookPrefix) ? streamId.slice(webhookPrefix.length) : undefined;

export function foldWebhook(
  { webhook }: Entry<WebhookParts>,
  recorded: RecordedEvent,
): Entry<WebhookParts> {
  const before: Webhook = webhook ?? { status: 'absent' };
  const after = evolve(before, recorded as unknown as WebhookEvent);
  if (after === before) return { webhook };
  if (!isPresent(after)) return {};
  const { recordedAt, streamId } = recorded;
  const only = recorded.type === 'DeliveriesAcknowledged' ? webhook : undefined;
  return {
    webhook: {
      ...after,
      id: streamId.slice(webhookPrefix.length),
      createdAt: webhook?.createdAt ?? recordedAt,
      updatedAt: only?.updatedAt ?? recordedAt,
      revision: only?.revision ?? recorded.revision,
    },
  };
}

/** The read model behind `Webhooks`: the view `webhooks.webhook`. */
export const webhooksProjection: Projection<WebhookParts> = {
  name: 'webhooks',
  version: 1,
  tables: { webhook: webhookTable },
  keyOf: idOf,
  fold: foldWebhook,
};
