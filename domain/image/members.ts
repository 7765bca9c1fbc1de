import { Refused } from '../refused.ts';
import type { Access, Caller, Rule } from './access.ts';
import type { Member } from './attributes.ts';
import type { CallerCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import type { Existing } from './state.ts';
import type { Seen } from './visibility.ts';

type Command<Type extends CallerCommand['type']> = CallerCommand & { readonly type: Type };

/** Members of an image that is not shared rest until it is shared again. */
export function requireShared(image: Pick<Seen, 'visibility'>): void {
  if (image.visibility !== 'shared')
    throw new Refused('not-shared', 'Only shared images have members.');
}

/** The entries that a caller may know of: its own, or all of them where the image is its own. */
export const membersSeenBy = <Entry extends Member>(
  image: { readonly owner: string | null; readonly members: readonly Entry[] },
  caller: Caller,
  access: Access,
): readonly Entry[] =>
  access.isAdmin(caller) || (image.owner !== null && image.owner === caller.projectId)
    ? image.members
    : image.members.filter(({ projectId }) => projectId === caller.projectId);

/** `rule` where the entry is there, but not for this caller. */
export const unknownMember = (projectId: string, rule?: Rule): Refused =>
  new Refused('member-unknown', `${projectId} not found in the member list of the image`, rule);

/** One of those entries. Throws `member-unknown` for every other project. */
export function memberSeenBy<Entry extends Member>(
  image: { readonly owner: string | null; readonly members: readonly Entry[] },
  member: string,
  caller: Caller,
  access: Access,
): Entry {
  const named = ({ projectId }: Member): boolean => projectId === member;
  const entry = membersSeenBy(image, caller, access).find(named);
  if (entry === undefined)
    throw unknownMember(member, image.members.some(named) ? 'get_member' : undefined);
  return entry;
}

/** `limit` is how many an image may have, below zero any number. The project is not looked up: nobody knows it here. */
export function decideAddition(
  { member }: Command<'AddMember'>,
  state: Existing,
  limit: number,
): readonly ImageEvent[] {
  requireShared(state);
  const attempted = state.members.length + 1;
  if (limit >= 0 && attempted > limit)
    throw new Refused(
      'limit-exceeded',
      `The limit has been exceeded on the number of allowed image members for this image. Attempted: ${attempted}, Maximum: ${limit}`,
    );
  if (state.members.some(({ projectId }) => projectId === member))
    throw new Refused('member-exists', `Image is already shared with ${member}`);
  return [{ type: 'MemberAdded', data: { member } }];
}

/** Who may do this to no entry is told so before any is looked for; then the rule is asked of the one entry alone. */
export function decideOnMember(
  command: Command<'SetMemberStatus' | 'RemoveMember'>,
  state: Existing,
  access: Access,
): readonly ImageEvent[] {
  const { caller, member } = command;
  access.authorize('get_image', state, caller);
  requireShared(state);
  const rule = command.type === 'RemoveMember' ? 'delete_member' : 'modify_member';
  access.authorize(rule, state, caller);
  const entry = memberSeenBy(state, member, caller, access);
  access.authorize(rule, { ...state, members: [entry] }, caller);
  if (command.type === 'RemoveMember') return [{ type: 'MemberRemoved', data: { member } }];
  const { status } = command;
  if (status === entry.status) return [];
  return [{ type: 'MemberStatusChanged', data: { member, from: entry.status, to: status } }];
}
