import type { Caller, Rule } from '../image/access.ts';
import { callerAttributes, isProjectScoped, ownAttributes } from '../policy/attributes.ts';
import type { Policy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';

/** Whose a bulk import is. */
export interface OwnedBulk {
  readonly project: string;
}

/**
 * Who may do what with bulk imports: the operator's policy, behind a wall that no policy moves: one of another project is
 * there for administrators only. What its items may do is decided image by image, by the rules of images.
 */
export interface BulkAccess {
  isAdmin(caller: Caller): boolean;
  allows(rule: Rule, target: OwnedBulk, caller: Caller): boolean;
  /** Of one that is not there yet, or of all of the caller's project: throws `not-allowed`. Gives that project. */
  authorizeOwn(rule: Rule, caller: Caller): string;
  /** Throws `bulk-import-unknown` when the caller cannot see it, `not-allowed` when it can but the rule says no. */
  authorize(rule: Rule, target: OwnedBulk, caller: Caller): void;
}

export const unknownBulk = (rule?: Rule): Refused =>
  new Refused('bulk-import-unknown', 'There is no bulk import of this id.', rule);

const notAuthorized = (rule: Rule): Refused =>
  new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);

export function bulkAccess(policy: Policy): BulkAccess {
  const isAdmin = (caller: Caller): boolean => policy.isAdmin(callerAttributes(caller));
  const isThereFor = ({ project }: OwnedBulk, caller: Caller): boolean =>
    isAdmin(caller) || project === caller.projectId;
  const permits = (rule: Rule, { project }: OwnedBulk, caller: Caller): boolean =>
    isProjectScoped(caller) &&
    policy.allows(rule, ownAttributes({ projectId: project }), callerAttributes(caller));

  return {
    isAdmin,
    allows: (rule, target, caller) => isThereFor(target, caller) && permits(rule, target, caller),
    authorizeOwn(rule, caller) {
      const { projectId: project } = caller;
      if (project === null || !permits(rule, { project }, caller)) throw notAuthorized(rule);
      return project;
    },
    authorize(rule, target, caller) {
      if (!isProjectScoped(caller)) throw notAuthorized(rule);
      if (!isThereFor(target, caller)) throw unknownBulk(rule);
      if (permits(rule, target, caller)) return;
      throw permits('get_bulk_import', target, caller) ? notAuthorized(rule) : unknownBulk(rule);
    },
  };
}
