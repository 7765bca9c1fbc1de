import type { Decider } from '../decider.ts';
import { unknownWebhook, type WebhookAccess } from './access.ts';
import { ruleOfWebhook, type WebhookCommand } from './commands.ts';
import type { WebhookChange, WebhookEvent } from './events.ts';
import { evolve, isPresent, type PresentWebhook, type Webhook } from './state.ts';

export type WebhookDecider = Decider<Webhook, WebhookCommand, WebhookEvent>;

/** An endpoint that is told what happens (Standard Webhooks). One that was removed stays so. */
export const webhookDecider = (access: WebhookAccess): WebhookDecider => ({
  initial: { status: 'absent' },
  evolve,
  decide(command, state) {
    const rule = ruleOfWebhook[command.type];
    if (command.type === 'RegisterWebhook') {
      const { by, type, after, ...data } = command;
      if (by.kind === 'caller') access.authorizeNew(rule, data, by.caller);
      if (state.status !== 'absent') return [];
      return [{ type: 'WebhookRegistered', data: { ...data, after: String(after) } }];
    }
    if (!isPresent(state)) throw unknownWebhook();
    if (command.by.kind === 'caller') access.authorize(rule, state, command.by.caller);
    return decidePresent(command, state);
  },
});

function decidePresent(
  command: Exclude<WebhookCommand, { type: 'RegisterWebhook' }>,
  state: PresentWebhook,
): readonly WebhookEvent[] {
  switch (command.type) {
    case 'ChangeWebhook': {
      const changes = changesOf(command, state);
      const { after } = command;
      return [
        ...(changes.length === 0 ? [] : [{ type: 'WebhookChanged', data: { changes } } as const]),
        ...(after === undefined
          ? []
          : [{ type: 'WebhookMoved', data: { after: String(after) } } as const]),
      ];
    }
    case 'RotateSecret': {
      const { secret, overlapUntil } = command;
      return [{ type: 'WebhookSecretRotated', data: { secret, overlapUntil } }];
    }
    case 'DisableWebhook': {
      const { reason, message, asTold = state } = command;
      if (state.status === 'disabled') return [];
      if (asTold.url !== state.url || asTold.revivals !== state.revivals) return [];
      return [{ type: 'WebhookDisabled', data: { reason, message } }];
    }
    case 'EnableWebhook':
      return state.status === 'enabled' ? [] : [{ type: 'WebhookEnabled', data: {} }];
    case 'RemoveWebhook':
      return [{ type: 'WebhookRemoved', data: {} }];
    case 'AcknowledgeDeliveries': {
      const { moves, upTo } = command;
      if (moves !== state.moves || upTo <= BigInt(state.delivered)) return [];
      return [{ type: 'DeliveriesAcknowledged', data: { moves, upTo: String(upTo) } }];
    }
  }
}

function changesOf(
  asked: WebhookCommand & { type: 'ChangeWebhook' },
  state: PresentWebhook,
): readonly WebhookChange[] {
  const texts = (['url', 'description'] as const).flatMap((field) => {
    const to = asked[field];
    const from = state[field];
    return to === undefined || to === from ? [] : [{ field, from, to }];
  });
  const lists = (['types', 'images'] as const).flatMap((field) => {
    const to = asked[field];
    const from = state.filter[field];
    return to === undefined || isSame(from, to) ? [] : [{ field, from, to }];
  });
  return [...texts, ...lists];
}

const isSame = (one: readonly string[] | null, other: readonly string[] | null): boolean =>
  one === null || other === null
    ? one === other
    : one.length === other.length && one.every((item, index) => item === other[index]);
