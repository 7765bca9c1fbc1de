import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { access, type Caller } from '../../domain/image/access.ts';
import { defaultLimits, type MemberStatus, memberStatuses } from '../../domain/image/attributes.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image, imageDecider } from '../../domain/image/image.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { specOf } from '../support/spec.ts';
import {
  admin,
  created,
  createdAs,
  defaultAccess,
  member as owner,
  reader as ownersReader,
  stateAfter,
  stranger,
} from './fixtures.ts';

const given = specOf(image);

const of = (projectId: string, ...roles: readonly string[]): Caller => ({
  userId: `user of ${projectId}`,
  projectId,
  roles,
});
const friend = of('friends', 'member', 'reader');
const friendlyReader = of('friends', 'reader');
const otherFriend = of('neighbours', 'member', 'reader');

const added = (member: string): ImageEvent => ({ type: 'MemberAdded', data: { member } });
const removed = (member: string): ImageEvent => ({ type: 'MemberRemoved', data: { member } });
const changed = (member: string, from: MemberStatus, to: MemberStatus): ImageEvent => ({
  type: 'MemberStatusChanged',
  data: { member, from, to },
});
const shared = [created, added('friends'), added('neighbours')];
const unshared = (to: 'private' | 'public'): ImageEvent => ({
  type: 'VisibilityChanged',
  data: { from: 'shared', to },
});

const add = (caller: Caller, member = 'newcomers'): ImageCommand => ({
  type: 'AddMember',
  caller,
  member,
});
const answer = (caller: Caller, status: MemberStatus, member = 'friends'): ImageCommand => ({
  type: 'SetMemberStatus',
  caller,
  member,
  status,
});
const remove = (caller: Caller, member = 'friends'): ImageCommand => ({
  type: 'RemoveMember',
  caller,
  member,
});

describe('sharing with a project', () => {
  test('is for the owner and administrators', () => {
    for (const caller of [owner, admin])
      given(...shared)
        .when(add(caller))
        .records(added('newcomers'));
    for (const caller of [ownersReader, friend])
      given(...shared)
        .when(add(caller))
        .refused('not-allowed', /add_member/);
    given(...shared)
      .when(add(stranger))
      .refused('image-unknown');
  });

  test('is for shared images', () => {
    for (const visibility of ['private', 'public', 'community'] as const)
      given(createdAs({ visibility })).when(add(owner)).refused('not-shared');
    given(createdAs({ visibility: 'public' }))
      .when(add(stranger))
      .refused('not-allowed');
  });

  test('happens once, and again once it was taken back', () => {
    given(...shared)
      .when(add(owner, 'friends'))
      .refused('member-exists');
    given(...shared, removed('friends'))
      .when(add(owner, 'friends'))
      .records(added('friends'));
  });

  test('may be with the owner itself, or with any name', () => {
    given(...shared)
      .when(add(owner, 'owners'))
      .records(added('owners'));
    given(...shared)
      .when(add(owner, '__proto__'))
      .records(added('__proto__'));
  });

  test('has a limit, which below zero is none', () => {
    const limited = (members: number) =>
      specOf(imageDecider({ ...defaultLimits, members }, defaultAccess));
    limited(3)(...shared)
      .when(add(owner))
      .records(added('newcomers'));
    limited(2)(...shared)
      .when(add(owner))
      .refused('limit-exceeded', /Attempted: 3, Maximum: 2/);
    limited(2)(...shared, removed('friends'))
      .when(add(owner))
      .records(added('newcomers'));
    limited(-1)(...shared)
      .when(add(owner))
      .records(added('newcomers'));
  });
});

describe("a member's answer", () => {
  test('goes from any to any', () => {
    for (const from of memberStatuses)
      for (const to of memberStatuses) {
        const history =
          from === 'pending' ? shared : [...shared, changed('friends', 'pending', from)];
        given(...history)
          .when(answer(friend, to))
          .records(...(from === to ? [] : [changed('friends', from, to)]));
      }
  });

  test('is the member project’s own and an administrator’s to give, never the owner’s', () => {
    given(...shared)
      .when(answer(admin, 'accepted'))
      .records(changed('friends', 'pending', 'accepted'));
    given(...shared)
      .when(answer(owner, 'accepted'))
      .refused('not-allowed', /modify_member/);
    given(...shared)
      .when(answer(friendlyReader, 'accepted'))
      .refused('not-allowed', /modify_member/);
    given(...shared)
      .when(answer(stranger, 'accepted'))
      .refused('image-unknown');
  });

  test('of the owner is its own where it is a member itself, and no other’s', () => {
    const withOwner = [...shared, added('owners')];
    given(...withOwner)
      .when(answer(owner, 'accepted', 'owners'))
      .records(changed('owners', 'pending', 'accepted'));
    given(...withOwner)
      .when(answer(owner, 'accepted'))
      .refused('not-allowed', /modify_member/);
  });

  test('counts while the image is shared', () => {
    for (const caller of [owner, admin])
      given(...shared, unshared('private'))
        .when(answer(caller, 'accepted'))
        .refused('not-shared');
    given(...shared, unshared('private'))
      .when(answer(friend, 'accepted'))
      .refused('image-unknown');
    given(...shared, unshared('public'))
      .when(answer(friend, 'accepted'))
      .refused('not-shared');
  });

  test('is there again when the image is shared again', () => {
    const again: ImageEvent = {
      type: 'VisibilityChanged',
      data: { from: 'private', to: 'shared' },
    };
    given(...shared, changed('friends', 'pending', 'rejected'), unshared('private'), again)
      .when(answer(friend, 'accepted'))
      .records(changed('friends', 'rejected', 'accepted'));
  });

  test('begins as pending when it is shared with anew', () => {
    const history = [...shared, changed('friends', 'pending', 'accepted'), removed('friends')];
    const state = stateAfter(...history, added('friends'));
    assert.deepEqual('members' in state && state.members, [
      { projectId: 'neighbours', status: 'pending' },
      { projectId: 'friends', status: 'pending' },
    ]);
  });

  test('may be given by others where the operator says so', () => {
    const lax = access(parsePolicy({ modify_member: 'role:member' }));
    specOf(imageDecider(defaultLimits, lax))(...shared)
      .when(answer(owner, 'accepted'))
      .records(changed('friends', 'pending', 'accepted'));
  });
});

describe('taking a member off', () => {
  test('is for the owner and administrators', () => {
    for (const caller of [owner, admin])
      given(...shared)
        .when(remove(caller))
        .records(removed('friends'));
    for (const caller of [ownersReader, friend])
      given(...shared)
        .when(remove(caller))
        .refused('not-allowed', /delete_member/);
    given(...shared)
      .when(remove(stranger))
      .refused('image-unknown');
  });

  test('is for shared images', () => {
    given(...shared, unshared('private'))
      .when(remove(owner))
      .refused('not-shared');
  });
});

test('a member that is none, or another project’s, is not there', () => {
  for (const command of [answer(admin, 'accepted', 'nobody'), remove(owner, 'nobody')])
    given(...shared)
      .when(command)
      .refused('member-unknown');
  given(...shared)
    .when(answer(otherFriend, 'accepted'))
    .refused('member-unknown');
});

test('who may change no entry is told so before any is looked for', () => {
  for (const name of [undefined, 'nobody'])
    for (const command of [remove(otherFriend, name), answer(owner, 'accepted', name)])
      given(...shared)
        .when(command)
        .refused('not-allowed');
});

test('members do nothing else to an image', () => {
  given(...shared)
    .when({ type: 'DeleteImage', caller: friend })
    .refused('not-allowed');
  given(...shared, unshared('private'))
    .when({ type: 'DeleteImage', caller: friend })
    .refused('image-unknown');
});
