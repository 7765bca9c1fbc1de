import type { Caller, Rule } from '../image/access.ts';
import {
  callerAttributes,
  isProjectScoped,
  namespaceAttributes,
  ownAttributes,
} from '../policy/attributes.ts';
import type { Policy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';
import type { NamespaceAttributes } from './content.ts';

export type Guarded = Pick<NamespaceAttributes, 'owner' | 'visibility'>;

/** Who may do what with namespaces: the operator's policy, and behind it what belongs to whom (reference, section 19). */
export interface MetadefAccess {
  isAdmin(caller: Caller): boolean;
  /** Of a namespace that is there. */
  allows(rule: Rule, target: Guarded, caller: Caller): boolean;
  /** Of a call that is about no namespace yet. Throws `not-allowed`. */
  authorizeOwn(rule: Rule, caller: Caller): void;
  /** Throws `not-allowed` for a token of a system or a domain. Comes before anything is looked for. */
  requireProjectScope(rule: Rule, caller: Caller): void;
  /** Throws `namespace-unknown` when the caller cannot see it, `not-allowed` when it can but the rule says no. */
  authorize(rule: Rule, target: Guarded & { readonly namespace: string }, caller: Caller): void;
}

export const unknownNamespace = (name: string, rule?: string): Refused =>
  new Refused('namespace-unknown', `Metadata definition namespace=${name} was not found.`, rule);

const notAuthorized = (rule: Rule): Refused =>
  new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);

/** Whether the namespace exists at all for who looks; no policy file changes that. */
export const isNamespaceVisibleTo = (
  { owner, visibility }: Guarded,
  { projectId, isAdmin }: { readonly projectId: string | null; readonly isAdmin: boolean },
): boolean => isAdmin || visibility === 'public' || owner === null || owner === projectId;

export function metadefAccess(policy: Policy): MetadefAccess {
  const isAdmin = (caller: Caller): boolean => policy.isAdmin(callerAttributes(caller));

  const allows: MetadefAccess['allows'] = (rule, target, caller) =>
    isProjectScoped(caller) &&
    isNamespaceVisibleTo(target, { projectId: caller.projectId, isAdmin: isAdmin(caller) }) &&
    policy.allows(rule, namespaceAttributes(target), callerAttributes(caller));

  const requireProjectScope: MetadefAccess['requireProjectScope'] = (rule, caller) => {
    if (!isProjectScoped(caller))
      throw new Refused(
        'not-allowed',
        'This call needs a token that is scoped to a project.',
        rule,
      );
  };

  return {
    isAdmin,
    allows,
    requireProjectScope,
    authorizeOwn(rule, caller) {
      requireProjectScope(rule, caller);
      if (!policy.allows(rule, ownAttributes(caller), callerAttributes(caller)))
        throw notAuthorized(rule);
    },
    authorize(rule, target, caller) {
      requireProjectScope(rule, caller);
      if (allows(rule, target, caller)) return;
      if (!allows('get_metadef_namespace', target, caller))
        throw unknownNamespace(target.namespace, rule);
      throw notAuthorized(rule);
    },
  };
}
