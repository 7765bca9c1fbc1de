import { type Expression, references } from './expression.ts';
import { shown } from './policy-refused.ts';

/** Rules that refer to one another in a row. Keeps deciding far from the end of the stack. */
export const maxChain = 32;

interface Visit {
  readonly name: string;
  readonly ahead: Iterator<string>;
  /** Of the longest chain below. */
  height: number;
}

const row = (names: readonly string[]): string =>
  (names.length > 8 ? [...names.slice(0, 7), '...', ...names.slice(-1)] : names)
    .map(shown)
    .join(' -> ');

/**
 * Undefined references, circles and chains that are too long, each by name. Walks without recursion: a file may
 * chain as many rules as it likes before it is refused.
 */
export function referenceProblems(rules: ReadonlyMap<string, Expression>): readonly string[] {
  const problems: string[] = [];
  const heights = new Map<string, number>();
  const path: Visit[] = [];
  const onPath = new Set<string>();

  const enter = (name: string, expression: Expression): void => {
    path.push({ name, ahead: new Set(references(expression)).values(), height: 0 });
    onPath.add(name);
  };
  const leave = ({ name, height }: Visit): void => {
    path.pop();
    onPath.delete(name);
    heights.set(name, height + 1);
    if (height + 1 === maxChain + 1)
      problems.push(`${shown(name)} begins a chain of more than ${maxChain} rules`);
    const above = path.at(-1);
    if (above !== undefined) above.height = Math.max(above.height, height + 1);
  };
  const follow = (visit: Visit, name: string): void => {
    const expression = rules.get(name);
    const height = heights.get(name);
    if (expression === undefined)
      problems.push(`${shown(visit.name)} refers to ${shown(name)}, which is not defined`);
    else if (height !== undefined) visit.height = Math.max(visit.height, height);
    else if (onPath.has(name)) {
      const names = path.map((step) => step.name);
      const circle = [...names.slice(names.indexOf(name)), name];
      problems.push(`rules refer to one another in a circle: ${row(circle)}`);
    } else enter(name, expression);
  };

  for (const [start, expression] of rules) {
    if (heights.has(start)) continue;
    enter(start, expression);
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const { value, done } = visit.ahead.next();
      if (done === true) leave(visit);
      else follow(visit, value);
    }
  }
  return problems;
}
