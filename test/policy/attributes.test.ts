import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  callerAttributes,
  imageAttributes,
  isProjectScoped,
  type PolicyCaller,
} from '../../domain/policy/attributes.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';

const caller: PolicyCaller = { userId: 'u', projectId: 'p', roles: ['member', 'reader'] };
const policy = parsePolicy(null);

describe('what a rule knows of an image', () => {
  test('cannot be feigned by a custom property', () => {
    const target = imageAttributes(
      {
        owner: 'others',
        visibility: 'private',
        properties: {
          project_id: 'p',
          owner: 'p',
          tenant: 'p',
          member_id: 'p',
          visibility: 'public',
        },
      },
      caller,
    );
    for (const rule of ['get_image', 'download_image', 'modify_image', 'modify_member'] as const)
      assert.ok(!policy.allows(rule, target, callerAttributes(caller)), rule);
  });

  test('holds custom properties and tags by name', () => {
    const target = imageAttributes(
      {
        owner: 'others',
        visibility: 'private',
        tags: ['t'],
        properties: { tier: 'gold' },
      },
      caller,
    );
    const custom = parsePolicy({ get_image: "'gold':%(tier)s and 't':%(tags)s" });
    assert.ok(custom.allows('get_image', target, callerAttributes(caller)));
  });

  test('counts a member only while the image is shared', () => {
    const member = (visibility: 'shared' | 'private') =>
      imageAttributes({ owner: 'others', visibility, members: [{ projectId: 'p' }] }, caller);
    assert.equal(member('shared').member_id, 'p');
    assert.equal(member('private').member_id, null);
  });
});

describe('what a rule knows of a caller', () => {
  test('has the names of older policy files too', () => {
    const old = parsePolicy({ get_image: 'tenant:%(tenant)s and user:u and is_admin:False' });
    const target = imageAttributes({ owner: 'p', visibility: 'private' }, caller);
    assert.ok(old.allows('get_image', target, callerAttributes(caller)));
  });

  test('tells tokens of a system and of a domain from those of a project', () => {
    assert.ok(isProjectScoped(caller));
    assert.ok(!isProjectScoped({ ...caller, projectId: null, systemScope: 'all' }));
    assert.ok(!isProjectScoped({ ...caller, projectId: null, domainId: 'default' }));
  });
});
