import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { referenceProblems } from '../../domain/policy/references.ts';

const refuses = (rule: unknown, message: RegExp) =>
  assert.throws(() => parsePolicy({ get_image: rule }), { name: 'PolicyRefused', message });

const megabyte = 1_000_000;
const nestedLists = (depth: number): unknown => {
  let list: unknown = 'role:a';
  for (let level = 0; level < depth; level += 1) list = [list];
  return list;
};

describe('a hostile policy ends with its reason:', () => {
  test('parentheses and nots without end', () => {
    refuses(`${'('.repeat(30_000)}role:a${')'.repeat(30_000)}`, /nested deeper than 32 levels/);
    refuses('('.repeat(60_000), /nested deeper than 32 levels/);
    refuses(`${'not '.repeat(15_000)}role:a`, /nested deeper than 32 levels/);
    refuses(nestedLists(100_000), /a list may hold checks as texts only/);
  });

  test('rules of a megabyte', () => {
    refuses(`role:${'a'.repeat(megabyte)}`, /1000005 characters long; the most is 65536/);
    refuses([`role:${'a'.repeat(megabyte)}`], /1000005 characters long; the most is 65536/);
    refuses('('.repeat(megabyte), /1000000 characters long/);
  });

  test('the longest texts that are read at all', () => {
    refuses("'".repeat(65_535), /never closed/);
    refuses('a'.repeat(65_536), /is not a check/);
    refuses(`a:${'%'.repeat(65_533)}`, /write '%%'/);
    refuses(`a:${'""'.repeat(30_000)}`, /quotes must enclose/);
    refuses(')'.repeat(65_536), /found '\)'/);
  });

  test('a chain of a hundred thousand rules', () => {
    const chain = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, index) => [`r${index}`, `rule:r${index + 1}`]),
    );
    assert.throws(() => parsePolicy({ ...chain, get_image: 'rule:r0', r100000: '@' }), {
      name: 'PolicyRefused',
      message: /"r99968" begins a chain of more than 32 rules/,
    });
  });

  test('a circle of a hundred thousand rules', () => {
    const rules = new Map(
      Array.from({ length: 100_000 }, (_, index) => [
        `r${index}`,
        { kind: 'rule', name: `r${(index + 1) % 100_000}` } as const,
      ]),
    );
    const circle = referenceProblems(rules).filter((problem) => problem.includes('circle'));
    assert.deepEqual(circle, [
      'rules refer to one another in a circle: "r0" -> "r1" -> "r2" -> "r3" -> "r4" -> "r5" -> "r6" -> "..." -> "r0"',
    ]);
  });
});

describe('the largest policy that is read', () => {
  const caller = { roles: ['b'] };

  test('decides a rule of 64 Ki characters', () => {
    const many = `${'role:a or '.repeat(6_552)}role:b`;
    assert.ok(parsePolicy({ get_image: many }).allows('get_image', {}, caller));
  });

  test('decides the longest chain of the deepest rules without overflowing the stack', () => {
    const deep = (inner: string) => {
      let rule = inner;
      for (let level = 0; level < 16; level += 1) rule = `not (role:x or role:b and ${rule})`;
      return rule;
    };
    const chain = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`r${index}`, deep(`rule:r${index + 1}`)]),
    );
    const policy = parsePolicy({ ...chain, get_image: 'rule:r0', r30: 'role:b' });
    assert.ok(policy.allows('get_image', {}, caller));
  });

  test('asks each rule once, though two to the thirtieth paths lead to it', () => {
    const doubled = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [
        `r${index}`,
        `(rule:r${index + 1} and role:x) or (rule:r${index + 1} and role:y)`,
      ]),
    );
    const policy = parsePolicy({ ...doubled, get_image: 'rule:r0', r30: 'role:b' });
    assert.ok(!policy.allows('get_image', {}, caller));
  });
});
