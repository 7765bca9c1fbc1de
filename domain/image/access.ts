import { Refused } from '../refused.ts';
import type { Visibility } from './attributes.ts';

/** Who asks, as the identity adapter found out. Role names are lower case, implied roles included. */
export interface Caller {
  readonly userId: string;
  readonly projectId: string | null;
  readonly roles: readonly string[];
}

/** Names of Glance's default policy (reference, section 5.3). */
export type Rule =
  | 'add_image'
  | 'get_images'
  | 'get_image'
  | 'modify_image'
  | 'delete_image'
  | 'publicize_image'
  | 'communitize_image'
  | 'upload_image'
  | 'download_image'
  | 'deactivate'
  | 'reactivate';

/** What the rules look at. */
export interface Target {
  readonly owner: string | null;
  readonly visibility: Visibility;
}

export const isAdmin = (caller: Caller): boolean => caller.roles.includes('admin');

const owns = (target: Target, caller: Caller): boolean =>
  target.owner !== null && target.owner === caller.projectId;

/** Whether the image exists at all for this caller (reference, section 5.1). */
export const canSee = (target: Target, caller: Caller): boolean =>
  isAdmin(caller) ||
  target.owner === null ||
  target.visibility === 'public' ||
  target.visibility === 'community' ||
  owns(target, caller);

/** Glance's default policy, rule by rule. An administrator passes every one. */
export function allows(rule: Rule, target: Target, caller: Caller): boolean {
  if (isAdmin(caller)) return true;
  const reader = caller.roles.includes('reader');
  const member = caller.roles.includes('member');
  switch (rule) {
    case 'get_images':
      return reader;
    case 'get_image':
      return reader && canSee(target, caller);
    case 'download_image':
      return member && canSee(target, caller);
    case 'publicize_image':
      return false;
    case 'add_image':
    case 'modify_image':
    case 'delete_image':
    case 'communitize_image':
    case 'upload_image':
    case 'deactivate':
    case 'reactivate':
      return member && owns(target, caller);
  }
}

/**
 * Throws `image-unknown` when the caller cannot see the image, `not-allowed` when it can but the rule says no
 * (reference, section 5.3, "Evaluation order").
 */
export function authorize(rule: Rule, target: Target, caller: Caller): void {
  if (!canSee(target, caller)) throw new Refused('image-unknown', 'No image found');
  if (allows(rule, target, caller)) return;
  if (!allows('get_image', target, caller)) throw new Refused('image-unknown', 'No image found');
  throw new Refused('not-allowed', `You are not authorized to complete ${rule} action.`);
}
