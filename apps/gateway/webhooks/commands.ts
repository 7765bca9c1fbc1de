import { randomUUID } from 'node:crypto';
import type { EventLog } from '../../../domain/event-log.ts';
import { Refused } from '../../../domain/refused.ts';
import type { WebhookAccess } from '../../../domain/webhook/access.ts';
import {
  type Party,
  ruleOfWebhook,
  type WebhookCommand,
} from '../../../domain/webhook/commands.ts';
import type { SignatureScheme } from '../../../domain/webhook/events.ts';
import { isPresent } from '../../../domain/webhook/state.ts';
import { webhookDecider } from '../../../domain/webhook/webhook.ts';
import type { PersonalRecords } from '../../../infra/personal/records.ts';
import { newSecret } from '../../../infra/webhooks/signature.ts';
import type { Vault } from '../../../infra/webhooks/vault.ts';
import type { Visible } from '../../../projections/images/images.ts';
import type { WebhookRecord, Webhooks } from '../../../projections/webhooks/webhooks.ts';
import { handleWebhooks } from '../../webhooks/handle.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';
import { afterAppend, inTime, metadataOf, seenBy } from '../on-behalf.ts';
import type { AskedWebhook } from './requests.ts';

type Asked<Command extends WebhookCommand = WebhookCommand> = Command extends WebhookCommand
  ? Omit<Command, 'by'>
  : never;

export interface WithSecret {
  readonly record: WebhookRecord;
  /** What the receiver verifies with. Not to be had again where it is a secret. */
  readonly secret: string;
}

/** Changes webhooks on behalf of requests; each resolves when every gateway shows the change. */
export interface WebhookCommands {
  register(call: Call, asked: AskedWebhook): Promise<WithSecret>;
  /** Of a new secret of the same scheme as the last, or another. */
  rotate(
    call: Call,
    webhookId: string,
    scheme: SignatureScheme | undefined,
    overlapMs: number,
  ): Promise<WithSecret>;
  change(call: Call, webhookId: string, command: Asked): Promise<WebhookRecord>;
  remove(call: Call, webhookId: string): Promise<void>;
}

export interface WebhookCommandPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append' | 'head'>;
  readonly registered: Webhooks;
  /** Of the read model of webhooks. */
  readonly visible: Visible;
  readonly personal: PersonalRecords;
  readonly access: WebhookAccess;
  readonly vault: Vault;
  /** Most webhooks of a project; -1 is no limit. */
  readonly quota: number;
}

export function webhookCommands(ports: WebhookCommandPorts): WebhookCommands {
  const { log, registered, access, vault, personal } = ports;
  const webhooks = handleWebhooks(log, webhookDecider(access));
  const seen = seenBy(ports.visible);

  const perform = async (call: Call, webhookId: string, asked: Asked): Promise<void> => {
    const by: Party = { kind: 'caller', caller: call.caller };
    const command = { ...asked, by } as WebhookCommand;
    const metadata = await metadataOf(call, ruleOfWebhook[command.type], personal);
    const { position } = await inTime((deadline) =>
      webhooks.handle(webhookId, command, metadata, deadline),
    );
    await seen(position);
  };

  const shown = async (webhookId: string): Promise<WebhookRecord> => {
    const record = await afterAppend(() => registered.show(webhookId));
    if (record === undefined) throw new HttpError(504, 'The change is recorded, but not shown.');
    return record;
  };

  const guardQuota = async (project: string | null): Promise<void> => {
    const count = (await registered.count(project)) + 1;
    if (ports.quota < 0 || count <= ports.quota) return;
    throw new Refused(
      'limit-exceeded',
      `The limit has been exceeded on the number of webhooks. Attempted: ${count}, Maximum: ${ports.quota}`,
    );
  };

  return {
    async register(call, { scheme, after, ...asked }) {
      access.authorizeNew('add_webhook', asked, call.caller);
      await guardQuota(asked.project);
      const webhookId = randomUUID();
      const { reference, secret, shown: verifier } = newSecret(scheme);
      await vault.keep(reference.secretId, secret);
      await perform(call, webhookId, {
        type: 'RegisterWebhook',
        ...asked,
        secret: reference,
        after: after ?? (await log.head()),
      });
      return { record: await shown(webhookId), secret: verifier };
    },

    async rotate(call, webhookId, scheme, overlapMs) {
      const state = await webhooks.read(webhookId);
      const last = isPresent(state) ? state.secrets[0] : undefined;
      const { reference, secret, shown: verifier } = newSecret(scheme ?? last?.scheme ?? 'v1');
      await vault.keep(reference.secretId, secret);
      const overlapUntil = new Date(Date.now() + overlapMs).toISOString();
      try {
        await perform(call, webhookId, { type: 'RotateSecret', secret: reference, overlapUntil });
      } catch (error) {
        if (error instanceof Refused) await vault.erase([reference.secretId]);
        throw error;
      }
      const record = await shown(webhookId);
      const standing = new Set(record.secrets.map(({ secretId }) => secretId));
      const gone = isPresent(state) ? state.secrets : [];
      await vault.erase(gone.flatMap(({ secretId }) => (standing.has(secretId) ? [] : [secretId])));
      return { record, secret: verifier };
    },

    async change(call, webhookId, command) {
      await perform(call, webhookId, command);
      return shown(webhookId);
    },

    async remove(call, webhookId) {
      const state = await webhooks.read(webhookId);
      await perform(call, webhookId, { type: 'RemoveWebhook' });
      if (isPresent(state)) await vault.erase(state.secrets.map(({ secretId }) => secretId));
    },
  };
}
