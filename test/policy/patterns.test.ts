import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BadPattern } from '../../domain/patterns/pattern.ts';
import { searchFor } from '../../domain/patterns/search.ts';

/** Each with texts that Python 3.11's `re.search` finds it in, and texts that it does not. */
const known: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['^x_.*', ['x_', 'x_owner'], ['ax_', 'X_a', '']],
  ['x_foo_*', ['x_foo', 'ax_foo__'], ['x_fo']],
  ['[^x_.*]', ['a', 'x_a'], ['x_.*', '']],
  ['.*', ['', 'anything', '\n'], []],
  ['^(a|ab)(c|bcd)$', ['ac', 'abcd', 'abc'], ['abcdc', 'ab']],
  ['^(hw|os|img)_', ['hw_disk_bus', 'os_type'], ['_hw_', 'low_']],
  ['^(?!os_|hw_)\\w+$', ['x', 'my_os_'], ['os_type', 'hw_', 'a-b']],
  ['(?<=_)id$', ['kernel_id', 'a_id\n'], ['id', 'kid']],
  ['(?<!_)id', ['id', 'kid'], ['_id']],
  ['(?=.*b)a', ['ab', 'xaxb'], ['ba', 'a']],
  ['(?i)^Owner$', ['owner', 'OWNER'], ['owners']],
  ['(?i:x)_Y', ['X_Y', 'x_Y'], ['X_y']],
  ['(?i)[^a]', ['b', 'B'], ['a', 'A', 'aA']],
  ['a$', ['a', 'a\n', 'ba'], ['a\n\n', 'ab']],
  ['a\\Z', ['a'], ['a\n']],
  ['(?m)^b$', ['a\nb\nc'], ['ab']],
  ['a.b', ['a-b', 'a\rb', 'a\u2028b'], ['a\nb']],
  ['(?s)a.b', ['a\nb'], ['ab']],
  ['^a{2}$', ['aa'], ['a', 'aaa']],
  ['^a{,2}$', ['', 'a', 'aa'], ['aaa']],
  ['^a{2,}$', ['aa', 'aaaa'], ['a']],
  ['^a{1,2}?$', ['a', 'aa'], ['aaa']],
  ['^a{$', ['a{'], ['a']],
  ['^a{x}$', ['a{x}'], ['ax']],
  ['^[]a]+$', [']', 'a]'], ['b']],
  ['^[^]a]$', ['b'], [']', 'a']],
  ['^[a-]$', ['a', '-'], ['b']],
  ['^[\\w.-]+$', ['a-b.c', 'é_1'], ['a b', '']],
  ['^\\d$', ['1', '٣'], ['a', '¼']],
  ['^\\s$', ['\t', '\u00a0', '\u001f'], ['\ufeff', 'x']],
  ['\\bid\\b', ['an id', 'id-x'], ['kid', 'id_x']],
  ['^\\x41\\u00e9\\101\\.$', ['AéA.'], ['AéAx']],
  ['^(?P<kind>a)(?#why not)b$', ['ab'], ['a']],
  ['^(?:)*x$', ['x'], ['']],
  ['^.$', ['𝒳'], ['ab']],
  ['', ['', 'a'], []],
  ['a||b', ['', 'zzz'], []],
];

describe("an expression of Python's", () => {
  for (const [expression, found, absent] of known)
    test(`is found where Python finds it: ${JSON.stringify(expression)}`, () => {
      const search = searchFor(expression);
      for (const text of found) assert.ok(search(text), `in ${JSON.stringify(text)}`);
      for (const text of absent) assert.ok(!search(text), `not in ${JSON.stringify(text)}`);
    });

  const refused: readonly (readonly [string, RegExp])[] = [
    ['*', /nothing to repeat/],
    ['^*', /nothing to repeat/],
    ['a**', /two quantifiers/],
    ['(a', /not closed/],
    ['a)', /closes nothing/],
    ['[a', /not closed/],
    ['[b-a]', /wrong order/],
    ['[a-\\d]', /wrong order/],
    ['a{2,1}', /wrong order/],
    ['\\', /backslash/],
    ['\\q', /unknown escape/],
    ['(a)\\1', /back reference/],
    ['(?P<n>a)(?P=n)', /not supported/],
    ['(?(1)a)', /not supported/],
    ['(?>a)', /not supported/],
    ['a(?i)b', /not supported/],
    ['(?x)a', /not supported/],
    ['a*+', /possessive/],
    ['(a{500}){500}', /too large/],
    ['(){1000000000}', /too large/],
    ['a'.repeat(1001), /longer than/],
  ];
  for (const [expression, why] of refused)
    test(`is refused: ${expression.slice(0, 20)}`, () => {
      assert.throws(
        () => searchFor(expression),
        (error) => error instanceof BadPattern && why.test(error.message),
      );
    });

  test('takes a time that grows with the text alone, however it is nested', () => {
    const text = 'a'.repeat(20_000);
    for (const expression of ['^(a+)+$', '^(a|a)*$', '^(.*.*.*)*\\d$', '(?=(a+)+$)x'])
      assert.equal(searchFor(expression)(`${text}!`), false);
  });
});
