import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PolicyCaller } from '../../domain/policy/attributes.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import {
  ProtectionsRefused,
  parseProtections,
  propertyOperations,
  protectionsBy,
  type RuleFormat,
} from '../../domain/property-protections/protections.ts';

const everyone = 'create = @\nread = @\nupdate = @\ndelete = @\n';
const nobody = everyone.replaceAll('@', '!');

const caller = (...roles: readonly string[]): PolicyCaller => ({
  userId: 'u',
  projectId: 'p',
  roles,
});

function protections(text: string, format: RuleFormat = 'roles', policy: object = {}) {
  const rules = parseProtections(text, format);
  return protectionsBy(rules, parsePolicy(policy, { alsoAsked: rules.asked }));
}

/** The operations that nothing forbids. */
function allowed(text: string, property: string, by: PolicyCaller, format: RuleFormat = 'roles') {
  const policy = format === 'policies' ? { keeper: 'role:keeper' } : {};
  const { forbidding } = protections(text, format, policy);
  return propertyOperations.filter(
    (operation) => forbidding(operation, property, by) === undefined,
  );
}

function problemsOf(text: string, format: RuleFormat = 'roles', policy: object = {}) {
  try {
    protections(text, format, policy);
  } catch (error) {
    assert.ok(error instanceof ProtectionsRefused, String(error));
    return error.problems;
  }
  return [];
}

describe('property protections', () => {
  test('let the first section decide whose expression is found in the name', () => {
    const text = `[^x_all]\n${everyone}\n[x_]\n${nobody}\n[.*]\n${everyone}`;
    assert.deepEqual(allowed(text, 'x_all_mine', caller()), [...propertyOperations]);
    assert.deepEqual(allowed(text, 'max_size', caller('admin')), []);
    assert.deepEqual(allowed(text, 'other', caller()), [...propertyOperations]);
  });

  test('deny what no section is about, to administrators too', () => {
    const by = caller('admin');
    assert.deepEqual(allowed(`[^x_]\n${everyone}`, 'y', by), []);
    assert.deepEqual(allowed('', 'y', by), []);
    const rule = protections('').forbidding('update', 'y', by);
    assert.equal(rule, 'property protections:update');
  });

  test('ask for one of the roles of each operation, in any case, those of a service token too', () => {
    const text = '[.*]\nCreate: Admin , Keeper\nread = @\nupdate = !\ndelete =\n';
    assert.deepEqual(allowed(text, 'a', caller('keeper')), ['create', 'read']);
    assert.deepEqual(allowed(text, 'a', caller('KEEPER')), ['create', 'read']);
    assert.deepEqual(allowed(text, 'a', caller('member')), ['read']);
    const service = { ...caller('member'), serviceRoles: ['admin'] };
    assert.deepEqual(allowed(text, 'a', service), ['create', 'read']);
    assert.equal(protections(text).forbidding('update', 'a', service), '.*:update');
  });

  test('ask a rule of the policy each, where the file names rules', () => {
    const text =
      '[.*]\ncreate = keeper\nread = @\nupdate = context_is_admin\ndelete = !\n[DEFAULT]\nx = 1';
    assert.deepEqual(allowed(text, 'a', caller('keeper'), 'policies'), ['create', 'read']);
    assert.deepEqual(allowed(text, 'a', caller('admin'), 'policies'), ['read', 'update']);
    const service = { ...caller('member'), serviceRoles: ['keeper'] };
    assert.deepEqual(allowed(text, 'a', service, 'policies'), ['create', 'read']);
  });

  test('leave the server its own properties, whatever the file says of them', () => {
    const text = `[os_glance]\n${nobody}\n[.*]\n${nobody}`;
    assert.deepEqual(allowed(text, 'os_glance_failed_import', caller()), [...propertyOperations]);
    assert.deepEqual(allowed(text, 'x_os_glance', caller('admin')), []);
  });

  test('are read as configparser reads them', () => {
    const text = `# ours\n; too\n[DEFAULT]\nread = @\n\n[[a-c]_x]\r\ncreate=a,\n  b\nUPDATE : c\ndelete = 50%%\n`;
    assert.deepEqual(allowed(text, 'b_x', caller('b')), ['create', 'read']);
    assert.deepEqual(allowed(text, 'b_x', caller('50%')), ['read', 'delete']);
    assert.deepEqual(allowed(text, 'd_x', caller('b')), []);
  });

  const refused: readonly (readonly [string, RuleFormat, readonly string[]])[] = [
    ['[a]\ncreate=@\nread=@\nupdat=@\ndelete=@', 'roles', ['[a] lacks update']],
    [`[a]\n${everyone.replace('@', '@,!')}`, 'roles', ['[a] create has both @ and !']],
    [
      `[*a]\n${everyone}`,
      'roles',
      ['[*a] is no expression that can be used: it has nothing to repeat'],
    ],
    [`[a]\n${everyone}[a]\n${everyone}`, 'roles', ['line 6: [a] is there already']],
    [`[a]\n${everyone}read = x`, 'roles', ['line 6: read is there already']],
    ['create = @', 'roles', ['line 1: create stands before the first [section]']],
    [
      `[a]\n${everyone}nonsense`,
      'roles',
      ['line 6: "nonsense" is neither a [section] nor key = value'],
    ],
    [
      `[a]\n${everyone.replace('@', '%(x)s')}`,
      'roles',
      ['[a] create has a %, which must be written %%'],
    ],
    [
      `[a]\n${everyone.replace('@', 'x,y')}`,
      'policies',
      ['[a] create has several rules: combine them in the policy file'],
    ],
    [
      `[a]\n${everyone.replace('@', 'keepr')}`,
      'policies',
      ['[a] create: "keepr" is no rule of the policy'],
    ],
  ];
  for (const [text, format, problems] of refused)
    test(`are refused by name: ${problems[0]}`, () =>
      assert.deepEqual(problemsOf(text, format), problems));

  test('are refused with every problem at once', () => {
    assert.equal(problemsOf('[(a]\ncreate=@\n[b]\nread=@,!').length, 8);
  });
});
