import type { Caller, Rule } from '../image/access.ts';
import { callerAttributes, isProjectScoped, ownAttributes } from '../policy/attributes.ts';
import type { Policy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';

/** Whose a webhook is; null: an administrator's, for the facts of all projects. */
export interface Owned {
  readonly project: string | null;
}

/**
 * Who may do what with webhooks: the operator's policy, behind a wall that no policy moves: one of another project, and
 * one that is told of all projects, is there for its own project and for administrators only.
 */
export interface WebhookAccess {
  isAdmin(caller: Caller): boolean;
  allows(rule: Rule, target: Owned, caller: Caller): boolean;
  /** Of one that is not there yet, or of all: throws `not-allowed`. */
  authorizeNew(rule: Rule, target: Owned, caller: Caller): void;
  /** Throws `webhook-unknown` when the caller cannot see it, `not-allowed` when it can but the rule says no. */
  authorize(rule: Rule, target: Owned, caller: Caller): void;
}

export const unknownWebhook = (rule?: Rule): Refused =>
  new Refused('webhook-unknown', 'There is no webhook of this id.', rule);

const notAuthorized = (rule: Rule): Refused =>
  new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);

export function webhookAccess(policy: Policy): WebhookAccess {
  const isAdmin = (caller: Caller): boolean => policy.isAdmin(callerAttributes(caller));
  const isThereFor = ({ project }: Owned, caller: Caller): boolean =>
    isAdmin(caller) || (project !== null && project === caller.projectId);
  const permits = (rule: Rule, { project }: Owned, caller: Caller): boolean =>
    isProjectScoped(caller) &&
    policy.allows(rule, ownAttributes({ projectId: project }), callerAttributes(caller));

  return {
    isAdmin,
    allows: (rule, target, caller) => isThereFor(target, caller) && permits(rule, target, caller),
    authorizeNew(rule, target, caller) {
      const isForAll = target.project === null && !isAdmin(caller);
      if (isForAll || !permits(rule, target, caller)) throw notAuthorized(rule);
    },
    authorize(rule, target, caller) {
      if (!isProjectScoped(caller)) throw notAuthorized(rule);
      if (!isThereFor(target, caller)) throw unknownWebhook(rule);
      if (permits(rule, target, caller)) return;
      throw permits('get_webhook', target, caller) ? notAuthorized(rule) : unknownWebhook(rule);
    },
  };
}
