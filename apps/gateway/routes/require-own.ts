import type { Access, Caller, Rule } from '../../../domain/image/access.ts';
import { Refused } from '../../../domain/refused.ts';

/** For calls that are about no image. Throws `not-allowed` when the policy says no. */
export function requireOwn(access: Access, rule: Rule, caller: Caller): void {
  if (!access.allowsOwn(rule, caller))
    throw new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);
}
