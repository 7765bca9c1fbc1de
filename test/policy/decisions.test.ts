import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PolicyAttributes } from '../../domain/policy/evaluate.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';

const caller: PolicyAttributes = {
  user_id: 'user-1',
  project_id: 'project-1',
  domain_id: null,
  roles: ['member', 'Image-Keeper'],
  service_roles: ['service'],
  level: 7,
  token: { project: { domain: { id: 'default' } } },
};
const target: PolicyAttributes = {
  owner: 'project-1',
  project_id: 'project-1',
  visibility: 'community',
  protected: true,
  hidden: false,
  kernel: null,
  tags: ['gold', 'new'],
  min_ram: 512,
  count: 1,
  level: 7,
  'dotted.name': 'project-1',
  user: { id: 'user-1' },
  wanted_role: 'MEMBER',
};

const decided = (rule: unknown, of: PolicyAttributes = target, by: PolicyAttributes = caller) =>
  parsePolicy({ get_image: rule }).allows('get_image', of, by);

const pass = [
  '@',
  '',
  'role:member',
  'role:MEMBER',
  'role:image-keeper',
  'role:%(wanted_role)s',
  'roles:member',
  'service_roles:service',
  'project_id:%(owner)s',
  '%(owner)s:project-1',
  'project_id:project-1',
  "project_id:'project-1'",
  'project_id:%(dotted.name)s',
  'user_id:%(user.id)s',
  'user_id:user-%(count)s',
  "'community':%(visibility)s",
  "'user-1 of project-1':'user-1 of project-1'",
  'True:%(protected)s',
  'false:%(hidden)s',
  'None:%(kernel)s',
  'domain_id:None',
  '512:%(min_ram)s',
  'level:%(level)s',
  "'gold':%(tags)s",
  'token.project.domain.id:default',
  'is_admin:False',
  'not role:admin',
  'rule:modify_image',
];
const fail = [
  '!',
  'role:admin',
  "role:''",
  'roles:MEMBER',
  'project_id:Project-1',
  'project_id:%(missing)s',
  'missing:%(owner)s',
  'missing:%(missing)s',
  'missing:None',
  'None:%(missing)s',
  'domain_id:%(kernel)s',
  "domain_id:'None'",
  "'None':%(kernel)s",
  'project_id:%(user)s',
  'user_id:user-%(missing)s',
  'role:%(missing)s',
  'role:%(tags)s',
  "'silver':%(tags)s",
  'token.project.domain:default',
  'token.project.domain.id.more:default',
  'constructor.name:Object',
  "'Object':%(constructor.name)s",
  '__proto__:None',
  '__proto__.__proto__:None',
  'is_admin:True',
  'True:%(hidden)s',
];

describe('a decision', () => {
  for (const rule of pass) test(`passes ${JSON.stringify(rule)}`, () => assert.ok(decided(rule)));
  for (const rule of fail) test(`fails ${JSON.stringify(rule)}`, () => assert.ok(!decided(rule)));

  test('never takes a caller without a project for the owner of an image without an owner', () => {
    assert.ok(!decided('project_id:%(owner)s', { owner: null }, { project_id: null }));
  });

  test('asks context_is_admin for is_admin, as the operator defines it', () => {
    const policy = parsePolicy({
      context_is_admin: 'role:cloud_admin',
      get_image: 'is_admin:True',
    });
    const cloudAdmin = { ...caller, roles: ['cloud_admin'], is_admin: false };
    const plainAdmin = { ...caller, roles: ['admin'], is_admin: true };
    assert.ok(policy.allows('get_image', target, cloudAdmin));
    assert.ok(!policy.allows('get_image', target, plainAdmin));
    assert.ok(policy.isAdmin(cloudAdmin));
    assert.ok(!policy.isAdmin(plainAdmin));
  });

  test('follows the aliases of an operator and the defaults where the file is silent', () => {
    const policy = parsePolicy({
      owner: 'tenant:%(owner)s',
      admin_or_owner: 'rule:context_is_admin or rule:owner',
      delete_image: 'rule:admin_or_owner and not role:intern',
    });
    const owner = { roles: ['reader'], tenant: 'p', project_id: 'p' };
    const image = { owner: 'p', project_id: 'p' };
    assert.ok(policy.allows('delete_image', image, owner));
    assert.ok(!policy.allows('delete_image', image, { ...owner, roles: ['intern'] }));
    assert.ok(!policy.allows('modify_image', image, owner));
    assert.ok(policy.allows('get_image', image, owner));
  });

  test('lets an override of an alias reach the rules behind it', () => {
    const policy = parsePolicy({ manage_image_cache: 'role:cache', download_image: '!' });
    assert.ok(policy.allows('cache_prune', {}, { roles: ['cache'] }));
    assert.ok(!policy.allows('cache_prune', {}, { roles: ['admin'] }));
    assert.ok(!policy.allows('download_from_store', {}, { roles: ['admin'] }));
  });

  test('asks rules that only the operator knows by name, and no others', () => {
    const policy = parsePolicy({ keepers: 'role:keeper' }, { alsoAsked: ['keepers'] });
    assert.ok(policy.allowsNamed('keepers', {}, { roles: ['keeper'] }));
    assert.deepEqual([policy.defines('keepers'), policy.defines('kepers')], [true, false]);
    assert.throws(() => policy.allowsNamed('kepers', {}, {}), /no rule is named "kepers"/);
  });
});
