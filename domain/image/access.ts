import {
  callerAttributes,
  type ImageTarget,
  imageAttributes,
  isProjectScoped,
  ownAttributes,
  type PolicyCaller,
} from '../policy/attributes.ts';
import type { Action } from '../policy/defaults.ts';
import type { Policy } from '../policy/policy.ts';
import {
  type PropertyOperation,
  type PropertyProtections,
  unprotected,
} from '../property-protections/protections.ts';
import { Refused } from '../refused.ts';
import type { Attributes } from './attributes.ts';
import { isVisibleTo } from './visibility.ts';

/** Who asks, as the identity adapter found out. Role names are lower case, implied roles included. */
export interface Caller extends PolicyCaller {
  readonly userId: string;
}

/** A name of Glance's policy (reference, section 5.3). */
export type Rule = Action;

/** What rules may look at. */
export type Target = ImageTarget;

/**
 * Who may do what: the operator's policy behind two walls that no policy moves. An image that the caller cannot see is
 * not there, and only tokens of a project are served (reference, sections 1.4 and 5).
 */
export interface Access {
  isAdmin(caller: Caller): boolean;
  /** Whether the image exists at all for this caller. */
  canSee(target: Target, caller: Caller): boolean;
  /** Of an image that is there. */
  allows(rule: Rule, target: Target, caller: Caller): boolean;
  /** Of an image that is about to be made, for whatever owner was asked for. */
  allowsNew(attributes: Attributes, caller: Caller): boolean;
  /** Of a call that is about no image: the target is the caller's own project. Throws `not-allowed`. */
  authorizeOwn(rule: Rule, caller: Caller): void;
  /** Throws `not-allowed` for a token of a system or a domain. Comes before the image is looked for. */
  requireProjectScope(rule: Rule, caller: Caller): void;
  /**
   * Throws `image-unknown` when the caller cannot see the image, `not-allowed` when it can but the rule says no
   * (reference, section 5.3, "Evaluation order").
   */
  authorize(rule: Rule, target: Target, caller: Caller): void;
  /** Whether who asks makes a difference to which custom properties there are to read. */
  readonly protectsProperties: boolean;
  /**
   * Which of the operator's property protections says no to what the caller would do with a custom property of an image
   * that it may read or change; undefined where none does.
   */
  ruleAgainst(operation: PropertyOperation, property: string, caller: Caller): string | undefined;
  /** Throws `not-allowed` where one does. */
  authorizeProperty(operation: PropertyOperation, property: string, caller: Caller): void;
}

const notAuthorized = (rule: Rule): Refused =>
  new Refused('not-allowed', `You are not authorized to complete ${rule} action.`, rule);

export function access(policy: Policy, protections: PropertyProtections = unprotected): Access {
  const admins = new WeakMap<Caller, boolean>();
  const isAdmin = (caller: Caller): boolean => {
    const known = admins.get(caller) ?? policy.isAdmin(callerAttributes(caller));
    admins.set(caller, known);
    return known;
  };

  const canSee = (target: Target, caller: Caller): boolean =>
    isVisibleTo(target, { projectId: caller.projectId, isAdmin: false }) || isAdmin(caller);

  const allows = (rule: Rule, target: Target, caller: Caller): boolean =>
    isProjectScoped(caller) &&
    canSee(target, caller) &&
    policy.allows(rule, imageAttributes(target, caller), callerAttributes(caller));

  const requireProjectScope = (rule: Rule, caller: Caller): void => {
    if (!isProjectScoped(caller))
      throw new Refused(
        'not-allowed',
        'This call needs a token that is scoped to a project.',
        rule,
      );
  };

  return {
    isAdmin,
    canSee,
    allows,
    allowsNew: (attributes, caller) =>
      isProjectScoped(caller) &&
      policy.allows('add_image', imageAttributes(attributes, caller), callerAttributes(caller)),
    authorizeOwn(rule, caller) {
      requireProjectScope(rule, caller);
      if (!policy.allows(rule, ownAttributes(caller), callerAttributes(caller)))
        throw notAuthorized(rule);
    },
    requireProjectScope,
    authorize(rule, target, caller) {
      requireProjectScope(rule, caller);
      if (allows(rule, target, caller)) return;
      if (!allows('get_image', target, caller))
        throw new Refused('image-unknown', 'No image found', rule);
      throw notAuthorized(rule);
    },
    protectsProperties: protections !== unprotected,
    ruleAgainst: protections.forbidding,
    authorizeProperty(operation, property, caller) {
      const rule = protections.forbidding(operation, property, caller);
      if (rule !== undefined)
        throw new Refused('not-allowed', `Attribute '${property}' is reserved.`, rule);
    },
  };
}
