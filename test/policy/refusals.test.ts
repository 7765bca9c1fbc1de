import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePolicy } from '../../domain/policy/policy.ts';
import { PolicyRefused } from '../../domain/policy/policy-refused.ts';

function problemsOf(file: unknown): readonly string[] {
  try {
    parsePolicy(file);
  } catch (error) {
    assert.ok(error instanceof PolicyRefused, String(error));
    for (const problem of error.problems) assert.ok(error.message.includes(problem));
    return error.problems;
  }
  return [];
}

const refused: Record<string, readonly [unknown, readonly string[]]> = {
  'a rule of no call that nobody refers to': [
    { get_imgae: 'role:member' },
    ['"get_imgae" is no rule of the Image API and no other rule refers to it'],
  ],
  'a reference to nothing': [
    { get_image: 'role:a or (rule:nope and not rule:nope)' },
    ['"get_image" refers to "nope", which is not defined'],
  ],
  'a rule that asks itself': [
    { get_image: 'rule:get_image' },
    ['rules refer to one another in a circle: "get_image" -> "get_image"'],
  ],
  'a circle through aliases': [
    { get_image: 'rule:a', a: 'not rule:b', b: 'role:x or rule:a' },
    ['rules refer to one another in a circle: "a" -> "b" -> "a"'],
  ],
  'a circle through a default rule': [
    { context_is_admin: 'rule:metadef_admin' },
    [
      'rules refer to one another in a circle: "context_is_admin" -> "metadef_admin" -> "context_is_admin"',
    ],
  ],
  'context_is_admin that asks is_admin': [
    { context_is_admin: 'is_admin:True' },
    ['rules refer to one another in a circle: "context_is_admin" -> "context_is_admin"'],
  ],
  'a check of another server': [
    { get_image: 'http://auth/check' },
    [
      '"get_image": "http://auth/check" asks another server, which is not supported; use role: or attribute checks',
    ],
  ],
  'an alias that is bad, once': [
    { get_image: 'rule:broken', broken: 'role:' },
    ['"broken": a side of "role:" is empty; write both sides together, without spaces'],
  ],
  'a retired rule that is bad': [
    { get_task: '(' },
    [`"get_task": expected a check, 'not' or '(' at character 2, found the end`],
  ],
  'a name of the language itself': [
    JSON.parse('{"__proto__": "role:a", "constructor": "role:a"}'),
    [
      '"__proto__" is no rule of the Image API and no other rule refers to it',
      '"constructor" is no rule of the Image API and no other rule refers to it',
    ],
  ],
  'a list instead of a map': [
    ['role:admin'],
    ['the policy must be an object of rule names and rules'],
  ],
  'a Map, whose entries would go unseen': [
    new Map([['get_image', '!']]),
    ['the policy must be an object of rule names and rules'],
  ],
  'a text instead of a map': [
    'role:admin',
    ['the policy must be an object of rule names and rules'],
  ],
};

describe('a policy is refused by name for', () => {
  for (const [what, [file, problems]] of Object.entries(refused))
    test(what, () => assert.deepEqual(problemsOf(file), problems));

  test('all of its problems at once', () => {
    const problems = problemsOf({
      get_image: 'role:',
      typo: '@',
      add_image: 'rule:nope',
      x: 'rule:y',
      y: 'rule:x',
    });
    assert.deepEqual(
      problems.map((problem) => /^"[a-z_]+"|circle/.exec(problem)?.[0]),
      ['"get_image"', '"typo"', '"add_image"', 'circle'],
    );
  });
});

describe('a policy is accepted', () => {
  test('when there is none', () => {
    assert.deepEqual(problemsOf(null), []);
    assert.deepEqual(problemsOf({}), []);
  });

  test('with rules that no call asks any more, which are told of', () => {
    const policy = parsePolicy({ copy_from: '', get_task: 'rule:default', default: 'role:admin' });
    assert.deepEqual(policy.retired, ['copy_from', 'get_task']);
  });

  test('again as it says that it is in force', () => {
    const policy = parsePolicy({ mine: "'a':%(name)s", get_image: 'rule:mine or role:x' });
    const again = parsePolicy(Object.fromEntries(policy.inForce));
    assert.deepEqual(again.inForce, policy.inForce);
    assert.equal(policy.inForce.get('get_image'), 'rule:mine or role:x');
    assert.equal(policy.inForce.get('publicize_image'), 'rule:context_is_admin');
  });
});
