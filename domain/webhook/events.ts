/** Which facts an endpoint is told, of those that its project may read. Null is all. */
export interface WebhookFilter {
  /** Types as the log has them. */
  readonly types: readonly string[] | null;
  /** Ids of images. */
  readonly images: readonly string[] | null;
}

/** HMAC-SHA256 with a secret that both know, or Ed25519 (Standard Webhooks, "Signature scheme"). */
export const signatureSchemes = ['v1', 'v1a'] as const;
export type SignatureScheme = (typeof signatureSchemes)[number];

/**
 * A secret by its name. The secret itself lies in a table beside the log, is backed up with it and can be erased there:
 * the log is read by many and kept for ever. Where that table is lost, nothing is sent unsigned: rotate the secret.
 */
export interface SecretReference {
  /** UUID. */
  readonly secretId: string;
  readonly scheme: SignatureScheme;
  /** SHA-256 of the secret, hex: tells two apart and gives neither away, for all of its 256 bits are by chance. */
  readonly fingerprint: string;
  /** `whpk_…` of an Ed25519 pair. */
  readonly publicKey: string | null;
}

export const disabledReasons = ['asked', 'gone', 'failing'] as const;
/** `gone`: it answered 410. `failing`: one fact could not be delivered for days. */
export type DisabledReason = (typeof disabledReasons)[number];

/** A field that changed. */
export type WebhookChange =
  | { readonly field: 'url' | 'description'; readonly from: string; readonly to: string }
  | {
      readonly field: 'types' | 'images';
      readonly from: readonly string[] | null;
      readonly to: readonly string[] | null;
    };

type Fact<Type extends string, Data> = { readonly type: Type; readonly data: Readonly<Data> };

/**
 * What can happen to a webhook, in its stream `webhook-{uuid}`. Positions are decimal strings. How far it was told is
 * written now and then only; between, that lies in a table that may be lost (`progress.ts`).
 */
export type WebhookEvent =
  | Fact<
      'WebhookRegistered',
      {
        /** Whose it is; it is told what this project may read. Null: an administrator's, for the facts of all projects. */
        project: string | null;
        url: string;
        description: string;
        filter: WebhookFilter;
        secret: SecretReference;
        /** It is told what comes after this. */
        after: string;
      }
    >
  | Fact<'WebhookChanged', { changes: readonly WebhookChange[] }>
  | Fact<'WebhookMoved', { after: string }>
  | Fact<'WebhookDisabled', { reason: DisabledReason; message: string }>
  | Fact<'WebhookEnabled', Record<never, never>>
  | Fact<
      'WebhookSecretRotated',
      {
        secret: SecretReference;
        /** Until when those before sign, too, ISO 8601. */
        overlapUntil: string;
      }
    >
  | Fact<
      'DeliveriesAcknowledged',
      {
        /** How often it had been moved: what was delivered before a move says nothing after it. */
        moves: number;
        /** Everything up to here has been delivered. */
        upTo: string;
      }
    >
  | Fact<'WebhookRemoved', Record<never, never>>;

export const webhookPrefix = 'webhook-';
export const webhookStream = (webhookId: string): string => `${webhookPrefix}${webhookId}`;
