import type { Caller, Rule } from '../image/access.ts';
import { callerAttributes, isProjectScoped, ownAttributes } from '../policy/attributes.ts';
import type { Policy } from '../policy/policy.ts';
import { Refused } from '../refused.ts';

/**
 * Who may see what of the audit tree. Its hashes tell nothing, so that checkpoints, tiles and proofs between them are for
 * everybody who has a token; entries hold the facts of all projects and are for auditors.
 */
export interface AuditAccess {
  /** Throws `not-allowed`. */
  authorizeHashes(caller: Caller): void;
  /** Throws `not-allowed`. */
  authorizeEntries(caller: Caller): void;
  seesAll(caller: Caller): boolean;
  /** Of legal holds. Throws `not-allowed`. */
  authorizeHolds(rule: 'get_legal_holds' | 'set_legal_hold', caller: Caller): void;
  /** Of what the caller's own project owned. */
  allowsOwnProof(caller: Caller): boolean;
  /** Of an image that the caller's own project owns. */
  allowsOwnHold(caller: Caller): boolean;
}

export const proofNotAllowed = (rule: Rule): Refused =>
  new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);

export function auditAccess(policy: Policy): AuditAccess {
  const allows = (rule: Rule, caller: Caller): boolean =>
    policy.allows(rule, ownAttributes(caller), callerAttributes(caller));
  const allowsOwn = (rule: Rule, caller: Caller): boolean =>
    isProjectScoped(caller) && allows(rule, caller);
  const seesAll = (caller: Caller): boolean => allows('get_audit_entries', caller);
  return {
    authorizeHashes(caller) {
      if (!allows('get_audit_checkpoint', caller)) throw proofNotAllowed('get_audit_checkpoint');
    },
    authorizeEntries(caller) {
      if (!seesAll(caller)) throw proofNotAllowed('get_audit_entries');
    },
    seesAll,
    authorizeHolds(rule, caller) {
      if (!allowsOwn(rule, caller)) throw proofNotAllowed(rule);
    },
    allowsOwnProof: (caller) => allowsOwn('get_audit_proof', caller),
    allowsOwnHold: (caller) => allowsOwn('get_image_legal_hold', caller),
  };
}
