import type { Expression, Operand } from './expression.ts';

const quoted = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);

function operand(of: Operand): string {
  switch (of.kind) {
    case 'text':
      return quoted(of.text);
    case 'constant':
      return of.value === null ? 'None' : of.value ? 'True' : 'False';
    case 'caller':
      return of.name;
    case 'target':
      return of.parts
        .map((part) => (typeof part === 'string' ? part.replaceAll('%', '%%') : `%(${part.name})s`))
        .join('');
  }
}

const role = (of: Operand): string =>
  of.kind === 'text' && /^[\w.:@-]+$/.test(of.text) ? of.text : operand(of);

/** `and` binds tighter than `or`, so an `or` needs parentheses in all, an `and` everywhere but in an `or`. */
const inside = (parent: 'and' | 'or' | 'not', of: Expression): string =>
  of.kind === 'or' || (of.kind === 'and' && parent !== 'or') ? `(${printed(of)})` : printed(of);

/** The rule in its language: `parseExpression` of it gives the same expression back. */
export function printed(expression: Expression): string {
  switch (expression.kind) {
    case 'everybody':
      return '@';
    case 'nobody':
      return '!';
    case 'rule':
      return `rule:${expression.name}`;
    case 'role':
      return `role:${role(expression.role)}`;
    case 'same':
      return `${operand(expression.subject)}:${operand(expression.value)}`;
    case 'not':
      return `not ${inside('not', expression.of)}`;
    case 'and':
    case 'or':
      return expression.of.map((of) => inside(expression.kind, of)).join(` ${expression.kind} `);
  }
}
