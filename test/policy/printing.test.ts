import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Expression, Operand } from '../../domain/policy/expression.ts';
import { maxNesting, parseExpression } from '../../domain/policy/parse.ts';
import { printed } from '../../domain/policy/print.ts';

const name = fc
  .stringMatching(/^[a-z_][a-z0-9_]{0,6}(\.[a-z0-9_]{1,4}){0,2}$/)
  .filter(
    (written) =>
      !['true', 'false', 'none', 'and', 'or', 'not', 'role', 'rule', 'http', 'https'].includes(
        written,
      ),
  );
const ruleName = fc.stringMatching(/^[a-zA-Z0-9_:.@!/-]{1,12}$/);
// Any text but what no quotes can hold: both kinds at once, or the beginning of a placeholder.
const text = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter(
    (written) => !(written.includes("'") && written.includes('"')) && !written.includes('%('),
  );
const literal: fc.Arbitrary<Operand> = text.map((of) => ({ kind: 'text', text: of }));
const constant: fc.Arbitrary<Operand> = fc
  .constantFrom(true, false, null)
  .map((value) => ({ kind: 'constant', value }));
const between = fc.stringMatching(/^[a-z0-9%/-]{0,4}$/);
const target: fc.Arbitrary<Operand> = fc
  .tuple(between, name, between, fc.option(name))
  .map(([before, first, middle, second]) => ({
    kind: 'target',
    parts: [before, { name: first }, middle, ...(second === null ? [] : [{ name: second }])].filter(
      (part) => part !== '',
    ),
  }));
const caller: fc.Arbitrary<Operand> = name.map((of) => ({ kind: 'caller', name: of }));

const check: fc.Arbitrary<Expression> = fc.oneof(
  fc.constantFrom<Expression>({ kind: 'everybody' }, { kind: 'nobody' }),
  ruleName.map((of): Expression => ({ kind: 'rule', name: of })),
  fc.oneof(literal, target).map((role): Expression => ({ kind: 'role', role })),
  fc
    .tuple(fc.oneof(literal, constant, target, caller), fc.oneof(literal, constant, target))
    .map(([subject, value]): Expression => ({ kind: 'same', subject, value })),
);

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    check,
    tie('expression').map((of): Expression => ({ kind: 'not', of })),
    fc
      .tuple(
        fc.constantFrom('and', 'or'),
        fc.array(tie('expression'), { minLength: 2, maxLength: 4 }),
      )
      .map(([kind, of]): Expression => ({ kind, of })),
  ),
}));

test('what was printed reads back as the same expression', () => {
  let nested = 0;
  fc.assert(
    fc.property(expression, (of) => {
      if (of.kind === 'and' || of.kind === 'or' || of.kind === 'not') nested += 1;
      assert.deepEqual(parseExpression(printed(of)), of);
    }),
    { numRuns: 2000 },
  );
  assert.ok(nested > 500, 'most expressions must be more than one check');
  assert.ok(maxNesting > 10, 'the generator stays within the bound');
});

test('prints parentheses only where they are needed', () => {
  const written = 'role:a or role:b and not (role:c or role:d) and (role:e or not role:f)';
  assert.equal(printed(parseExpression(`((${written}))`)), written);
});

test('no text makes the reader fail in another way than by name', () => {
  const pieces = fc.constantFrom(
    '(',
    ')',
    'and',
    'or',
    'not',
    ' ',
    ':',
    "'",
    '"',
    '%',
    '%(a)s',
    'role:a',
    '@',
    '!',
    'x',
    '\n',
    '\u0000',
    '🜁',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (written) => {
      try {
        const read = parseExpression(written.join(''));
        assert.deepEqual(parseExpression(printed(read)), read);
      } catch (error) {
        assert.equal((error as Error).name, 'BadRule');
      }
    }),
    { numRuns: 3000 },
  );
});
