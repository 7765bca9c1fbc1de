import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandContext, commandHandler, type Handled } from '../../domain/command-handler.ts';
import type { EventLog } from '../../domain/event-log.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { webhookAccess } from '../../domain/webhook/access.ts';
import type { WebhookCommand } from '../../domain/webhook/commands.ts';
import { webhookStream } from '../../domain/webhook/events.ts';
import type { Webhook } from '../../domain/webhook/state.ts';
import { type WebhookDecider, webhookDecider } from '../../domain/webhook/webhook.ts';
import { eventId } from '../../infra/event-id.ts';

/** Decides commands on webhooks and appends what follows. Rejects with `Refused`, or with the log's errors. */
export interface HandleWebhooks {
  handle(
    webhookId: string,
    command: WebhookCommand,
    metadata: CommandContext['metadata'],
    deadline: AbortSignal,
  ): Promise<Handled<Webhook>>;
  /** As the log has it now. */
  read(webhookId: string): Promise<Webhook>;
}

const longestPauseMs = 20;

export function handleWebhooks(
  log: Pick<EventLog, 'readStream' | 'append'>,
  decider: WebhookDecider,
): HandleWebhooks {
  const pause = (): Promise<void> => delay(Math.random() * longestPauseMs);
  const handle = commandHandler(decider, { log, eventId, schemaVersions: {}, pause });
  return {
    handle: (webhookId, command, metadata, deadline) =>
      handle(webhookStream(webhookId), command, { commandId: randomUUID(), metadata }, deadline),
    async read(webhookId) {
      const { events } = await log.readStream(webhookStream(webhookId));
      return events.reduce<Webhook>(
        (state, event) => decider.evolve(state, event as never),
        decider.initial,
      );
    },
  };
}

/** For parts of the system, which no rule stops. */
export const ourWebhooks = (log: Pick<EventLog, 'readStream' | 'append'>): HandleWebhooks =>
  handleWebhooks(log, webhookDecider(webhookAccess(parsePolicy(null))));

/** What events say of a part of the system that acts by itself. */
export function actingPart(part: string): CommandContext['metadata'] {
  const correlationId = randomUUID();
  return { actor: { kind: 'system', part }, requestId: `req-${correlationId}`, correlationId };
}
