import type { Caller, Rule } from '../image/access.ts';
import type { DisabledReason, SecretReference, WebhookFilter } from './events.ts';
import type { PresentWebhook } from './state.ts';

/** Who asks: a caller with a token, or the operator and the system, whom no rule stops. */
export type Party =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'ours' };
export const ours: Party = { kind: 'ours' };

export interface WebhookSettings {
  readonly url: string;
  readonly description: string;
  readonly filter: WebhookFilter;
}

type By<Type extends string, Rest = unknown> = {
  readonly type: Type;
  readonly by: Party;
} & Readonly<Rest>;

export type WebhookCommand =
  | By<
      'RegisterWebhook',
      WebhookSettings & { project: string | null; secret: SecretReference; after: bigint }
    >
  | By<
      'ChangeWebhook',
      {
        url?: string | undefined;
        description?: string | undefined;
        types?: readonly string[] | null | undefined;
        images?: readonly string[] | null | undefined;
        /** Where it goes on: anything above is told, again or for the first time. */
        after?: bigint | undefined;
      }
    >
  | By<'RotateSecret', { secret: SecretReference; overlapUntil: string }>
  | By<
      'DisableWebhook',
      {
        reason: DisabledReason;
        message: string;
        /** What the reason is about: nothing follows where it is another by now. */
        asTold?: Pick<PresentWebhook, 'url' | 'revivals'>;
      }
    >
  | By<'EnableWebhook'>
  | By<'RemoveWebhook'>
  | By<'AcknowledgeDeliveries', { moves: number; upTo: bigint }>;

/** The rule that each is allowed by, where a caller asks. */
export const ruleOfWebhook = {
  RegisterWebhook: 'add_webhook',
  ChangeWebhook: 'modify_webhook',
  RotateSecret: 'modify_webhook',
  DisableWebhook: 'modify_webhook',
  EnableWebhook: 'modify_webhook',
  RemoveWebhook: 'delete_webhook',
  AcknowledgeDeliveries: 'modify_webhook',
} as const satisfies Record<WebhookCommand['type'], Rule>;
