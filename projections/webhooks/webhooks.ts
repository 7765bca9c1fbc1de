import type { Viewer } from '../../domain/image/visibility.ts';
import type { PresentWebhook } from '../../domain/webhook/state.ts';

/** One webhook as the read model holds it. */
export interface WebhookRecord extends PresentWebhook {
  readonly id: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Moves with every event but those that only say how far it was told. */
  readonly revision: number;
}

export interface WebhookQuery {
  /** Administrators see all, others those of their project. */
  readonly viewer: Viewer;
  readonly project: string | undefined;
  /** Id of the last webhook of the page before. */
  readonly marker: string | undefined;
  readonly limit: number;
}

/** What is asked of the read model of webhooks. */
export interface Webhooks {
  show(webhookId: string): Promise<WebhookRecord | undefined>;
  /** By id. */
  list(query: WebhookQuery): Promise<readonly WebhookRecord[]>;
  /** Of a project, or (null) of those for all projects. */
  count(project: string | null): Promise<number>;
  /** Every one that is to be told, by id. */
  enabled(): Promise<readonly WebhookRecord[]>;
  all(): Promise<readonly WebhookRecord[]>;
}
