import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Expression, Operand } from '../../domain/policy/expression.ts';
import { parseExpression, parseRule } from '../../domain/policy/parse.ts';
import { printed } from '../../domain/policy/print.ts';

const role = (text: string): Expression => ({ kind: 'role', role: { kind: 'text', text } });
const a = role('a');
const b = role('b');
const c = role('c');
const same = (subject: Operand, value: Operand): Expression => ({ kind: 'same', subject, value });
const text = (of: string): Operand => ({ kind: 'text', text: of });
const constant = (value: boolean | null): Operand => ({ kind: 'constant', value });
const caller = (name: string): Operand => ({ kind: 'caller', name });
const target = (name: string): Operand => ({ kind: 'target', parts: [{ name }] });

const rules: readonly (readonly [string, Expression])[] = [
  ['@', { kind: 'everybody' }],
  ['!', { kind: 'nobody' }],
  ['role:a', a],
  ['rule:admin_or_owner', { kind: 'rule', name: 'admin_or_owner' }],
  ['rule:compute:get_all', { kind: 'rule', name: 'compute:get_all' }],
  ['role:compute:admin', role('compute:admin')],
  ['role:none', role('none')],
  ["role:'image keeper'", role('image keeper')],
  ['role:%(wanted)s', { kind: 'role', role: target('wanted') }],

  ['role:a or role:b and role:c', { kind: 'or', of: [a, { kind: 'and', of: [b, c] }] }],
  ['role:a and role:b or role:c', { kind: 'or', of: [{ kind: 'and', of: [a, b] }, c] }],
  ['(role:a or role:b) and role:c', { kind: 'and', of: [{ kind: 'or', of: [a, b] }, c] }],
  ['role:a or role:b or role:c', { kind: 'or', of: [a, b, c] }],
  ['not role:a and role:b', { kind: 'and', of: [{ kind: 'not', of: a }, b] }],
  ['not (role:a and role:b)', { kind: 'not', of: { kind: 'and', of: [a, b] } }],
  ['role:a and not role:b', { kind: 'and', of: [a, { kind: 'not', of: b }] }],
  ['not not role:a', { kind: 'not', of: { kind: 'not', of: a } }],
  ['((role:a))', a],

  ['  role:a\tOR\n role:b ', { kind: 'or', of: [a, b] }],
  ['( role:a )AND( Not role:b )', { kind: 'and', of: [a, { kind: 'not', of: b }] }],
  ['not(role:a)', { kind: 'not', of: a }],

  ['project_id:%(owner)s', same(caller('project_id'), target('owner'))],
  ['(project_id:%(owner)s)', same(caller('project_id'), target('owner'))],
  ['%(owner)s:tenant-1', same(target('owner'), text('tenant-1'))],
  ["'public':%(visibility)s", same(text('public'), target('visibility'))],
  ['"public":%(visibility)s', same(text('public'), target('visibility'))],
  ["user_id:'x (y) and z:1'", same(caller('user_id'), text('x (y) and z:1'))],
  ["'a:b':%(name)s", same(text('a:b'), target('name'))],
  ["name:''", same(caller('name'), text(''))],
  ['name:\'it is "so"\'', same(caller('name'), text('it is "so"'))],
  ['is_admin:True', same(caller('is_admin'), constant(true))],
  ['True:%(protected)s', same(constant(true), target('protected'))],
  ['false:%(protected)s', same(constant(false), target('protected'))],
  ['None:%(owner)s', same(constant(null), target('owner'))],
  ['domain_id:20', same(caller('domain_id'), text('20'))],
  ['-1.5:%(min_ram)s', same(text('-1.5'), target('min_ram'))],
  ['token.project.domain.id:default', same(caller('token.project.domain.id'), text('default'))],
  ['user_id:%(target.user.id)s', same(caller('user_id'), target('target.user.id'))],
  [
    'project_id:p-%(owner)s-100%%',
    same(caller('project_id'), { kind: 'target', parts: ['p-', { name: 'owner' }, '-100%'] }),
  ],
  ['share:100%%', same(caller('share'), text('100%'))],
];

describe('the rule language', () => {
  for (const [written, expression] of rules)
    test(`reads ${JSON.stringify(written)}`, () => {
      assert.deepEqual(parseExpression(written), expression);
      assert.deepEqual(parseExpression(printed(expression)), expression);
    });

  test('takes an empty text and an empty list for everybody', () => {
    assert.deepEqual(parseRule(''), { kind: 'everybody' });
    assert.deepEqual(parseRule([]), { kind: 'everybody' });
  });

  test('takes a list of lists for "one of these must pass whole"', () => {
    const old = [['role:a'], ['role:b', 'project_id:%(owner)s']];
    assert.deepEqual(
      parseRule(old),
      parseExpression('role:a or (role:b and project_id:%(owner)s)'),
    );
    assert.deepEqual(parseRule(['role:a', 'role:b']), parseExpression('role:a or role:b'));
    assert.deepEqual(parseRule([['role:a']]), a);
  });
});

const refused: readonly (readonly [unknown, RegExp])[] = [
  ['   ', /is blank; write '@' for everybody/],
  [null, /has no value; write '@' for everybody/],
  [7, /must be a text or a list of checks, not a number/],
  [{ role: 'admin' }, /must be a text or a list of checks, not a object/],
  ['role', /"role" is not a check; write 'role:name'/],
  ["'admin'", /"'admin'" is not a check/],
  ['role:', /a side of "role:" is empty; write both sides together, without spaces/],
  [':x', /a side of ":x" is empty/],
  ['project_id : x', /"project_id" is not a check/],
  ['(role:a', /expected '\)', 'and' or 'or' at character 8, found the end/],
  ['role:a)', /expected 'and' or 'or' at character 7, found '\)'/],
  ['()', /expected a check, 'not' or '\(' at character 2, found '\)'/],
  ['role:a role:b', /expected 'and' or 'or' at character 8, found "role:b"/],
  ['role:a and', /expected a check, 'not' or '\(' at character 11, found the end/],
  ['or role:a', /expected a check, 'not' or '\(' at character 1, found 'or'/],
  ['role:a and or role:b', /at character 12, found 'or'/],
  ['not', /expected a check, 'not' or '\(' at character 4, found the end/],
  ["name:'open", /the quote at character 6 is never closed/],
  ["name:a'b'", /quotes must enclose the whole side in "a'b'"/],
  ["name:'%(owner)s'", /taken as it stands; write the placeholder without quotes/],
  ['role:a(b)', /"role:a" runs into a parenthesis at character 7/],
  ['name:%(owner)d', /a '%' must begin '%\(name\)s'/],
  ['name:50%', /write '%%' for the sign itself/],
  ['name:%()s', /a '%' must begin '%\(name\)s'/],
  ['a/b:x', /"a\/b" is no attribute of a caller; quote it if it is a text/],
  ['rule:%(x)s', /"%\(x\)s" cannot be the name of a rule/],
  ['Role:admin', /"Role:admin" is no check; write 'role:' in lower case/],
  ['HTTPS://host', /write 'https:' in lower case/],
  ['http://host/check', /"http:\/\/host\/check" asks another server, which is not supported/],
  ['https://host/%(owner)s', /asks another server, which is not supported/],
  [[['role:a'], []], /an inner list is empty/],
  [
    [['role:a and role:b']],
    /"role:a and role:b" is not one check; in a list, write each by itself/,
  ],
  [[[['role:a']]], /a list may hold checks as texts only/],
  [[3], /a list may hold checks as texts only/],
];

describe('a rule that cannot be read is refused:', () => {
  for (const [written, message] of refused)
    test(JSON.stringify(written), () => {
      assert.throws(() => parseRule(written), { name: 'BadRule', message });
    });
});
