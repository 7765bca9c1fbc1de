import type { Caller, Rule } from '../image/access.ts';
import { isVisibleTo } from '../image/visibility.ts';
import {
  callerAttributes,
  type ImageTarget,
  imageAttributes,
  isProjectScoped,
  ownAttributes,
} from '../policy/attributes.ts';
import type { Policy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';

/**
 * Who may look back: the operator's policy behind a wall that no policy moves. Whoever is no auditor is shown what its own
 * project owned just before or just after it happened, and images as they were for it then.
 */
export interface HistoryAccess {
  /** Throws `not-allowed` for a token of a system or a domain. Comes before anything is looked for. */
  requireProjectScope(rule: Rule, caller: Caller): void;
  /** Whether there is no wall: changes of all projects, and attempts that were refused. */
  seesAll(caller: Caller): boolean;
  /** Of the caller's own project. */
  allowsOwn(rule: Rule, caller: Caller): boolean;
  /** Throws `not-allowed`. */
  authorizeOwn(rule: Rule, caller: Caller): void;
  /** Of an image as it was: by whom it could be seen then, by the roles that the caller has now. */
  allowsPast(image: ImageTarget, caller: Caller): boolean;
}

export const historyNotAllowed = (rule: Rule): Refused =>
  new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);

export function historyAccess(policy: Policy): HistoryAccess {
  const allowsOwn = (rule: Rule, caller: Caller): boolean =>
    isProjectScoped(caller) && policy.allows(rule, ownAttributes(caller), callerAttributes(caller));
  const seesAll = (caller: Caller): boolean => allowsOwn('get_all_history', caller);
  const requireProjectScope: HistoryAccess['requireProjectScope'] = (rule, caller) => {
    if (!isProjectScoped(caller)) throw historyNotAllowed(rule);
  };

  return {
    requireProjectScope,
    seesAll,
    allowsOwn,
    authorizeOwn(rule, caller) {
      if (!allowsOwn(rule, caller)) throw historyNotAllowed(rule);
    },
    allowsPast: (image, caller) =>
      isProjectScoped(caller) &&
      isVisibleTo(image, { projectId: caller.projectId, isAdmin: seesAll(caller) }) &&
      policy.allows('get_past_image', imageAttributes(image, caller), callerAttributes(caller)),
  };
}
