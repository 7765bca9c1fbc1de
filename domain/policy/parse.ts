import { parseCheck } from './check.ts';
import { type Expression, everybody } from './expression.ts';
import { BadRule, shown } from './policy-refused.ts';
import { type Token, tokensOf } from './tokens.ts';

export const maxRuleCharacters = 65_536;
/** Parentheses and `not`s within one another. Keeps parsing and deciding far from the end of the stack. */
export const maxNesting = 32;

const joined = (kind: 'and' | 'or', of: readonly Expression[]): Expression => {
  const [only, second] = of;
  return only !== undefined && second === undefined ? only : { kind, of };
};

const bounded = (text: string): string => {
  if (text.length <= maxRuleCharacters) return text;
  throw new BadRule(`it is ${text.length} characters long; the most is ${maxRuleCharacters}`);
};

/** What the grammar of `expression.ts` calls `or`. Throws BadRule. */
export function parseExpression(text: string): Expression {
  const tokens = tokensOf(bounded(text));
  let next = 0;
  let depth = 0;

  const peek = (): Token => tokens[next] ?? { kind: 'end', at: text.length + 1 };
  const take = (kind: Token['kind']): boolean => {
    if (peek().kind !== kind) return false;
    next += 1;
    return true;
  };
  const expected = (what: string): BadRule => {
    const found = peek();
    const name =
      found.kind === 'check'
        ? shown(found.text)
        : found.kind === 'end'
          ? 'the end'
          : `'${found.kind}'`;
    return new BadRule(`expected ${what} at character ${found.at}, found ${name}`);
  };

  const nested = (parse: () => Expression): Expression => {
    depth += 1;
    if (depth > maxNesting) throw new BadRule(`it is nested deeper than ${maxNesting} levels`);
    const expression = parse();
    depth -= 1;
    return expression;
  };
  const not = (): Expression => {
    if (take('not')) return { kind: 'not', of: nested(not) };
    if (take('(')) {
      const inside = nested(or);
      if (!take(')')) throw expected("')', 'and' or 'or'");
      return inside;
    }
    const found = peek();
    if (found.kind !== 'check') throw expected("a check, 'not' or '('");
    next += 1;
    return parseCheck(found.text);
  };
  const series = (kind: 'and' | 'or', operand: () => Expression): Expression => {
    const of = [operand()];
    while (take(kind)) of.push(operand());
    return joined(kind, of);
  };
  const and = (): Expression => series('and', not);
  const or = (): Expression => series('or', and);

  const expression = or();
  if (!take('end')) throw expected("'and' or 'or'");
  return expression;
}

/** A list's item is one check: the old form has no words and no parentheses. */
const single = (written: unknown): Expression => {
  if (typeof written !== 'string') throw new BadRule('a list may hold checks as texts only');
  const [check, end] = tokensOf(bounded(written));
  if (check?.kind !== 'check' || end?.kind !== 'end')
    throw new BadRule(`${shown(written)} is not one check; in a list, write each by itself`);
  return parseCheck(check.text);
};

/** Outer lists are `or`, inner ones `and` (oslo.policy, "list of lists"). */
const parseLists = (lists: readonly unknown[]): Expression => {
  if (lists.length === 0) return everybody;
  return joined(
    'or',
    lists.map((list) => {
      if (!Array.isArray(list)) return single(list);
      if (list.length === 0)
        throw new BadRule("an inner list is empty; write '@' in it to allow everybody");
      return joined('and', list.map(single));
    }),
  );
};

/** A rule as the file's reader delivers it: text, or the old list of lists. Throws BadRule. */
export function parseRule(written: unknown): Expression {
  if (written === '') return everybody;
  if (typeof written === 'string') {
    if (written.trim() === '')
      throw new BadRule("it is blank; write '@' for everybody or '!' for nobody");
    return parseExpression(written);
  }
  if (Array.isArray(written)) return parseLists(written);
  if (written === null || written === undefined)
    throw new BadRule("it has no value; write '@' for everybody or '!' for nobody");
  throw new BadRule(`it must be a text or a list of checks, not a ${typeof written}`);
}
