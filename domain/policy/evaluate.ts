import type { Json } from '../json.ts';
import { adminRule, type Expression, type Operand } from './expression.ts';

/** Attributes by the names that policy files use. */
export type PolicyAttributes = Readonly<Record<string, Json | undefined>>;

const isRecord = (value: Json | undefined): value is PolicyAttributes =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (of: PolicyAttributes, name: string): Json | undefined =>
  Object.hasOwn(of, name) ? of[name] : undefined;

/** By the whole name first, then by its dotted steps. */
function attribute(of: PolicyAttributes, name: string): Json | undefined {
  const whole = own(of, name);
  if (whole !== undefined) return whole;
  let value: Json | undefined = of;
  for (const step of name.split('.')) value = isRecord(value) ? own(value, step) : undefined;
  return value;
}

const textOf = (value: Json | undefined): string | undefined => {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return undefined;
};

/** The texts that a value is the same as: its own, or those of a list's items. Null has none. */
const textsOf = (value: Json | undefined): readonly string[] =>
  (Array.isArray(value) ? (value as readonly Json[]) : [value]).flatMap(
    (item) => textOf(item) ?? [],
  );

/** Decides rules for one caller and one target; each rule once, however often others refer to it. */
export function decision(
  rules: ReadonlyMap<string, Expression>,
  target: PolicyAttributes,
  caller: PolicyAttributes,
): (rule: string) => boolean {
  const decided = new Map<string, boolean>();

  const resolved = (operand: Operand): Json | undefined => {
    switch (operand.kind) {
      case 'text':
        return operand.text;
      case 'constant':
        return operand.value;
      case 'caller':
        return operand.name === 'is_admin' ? asked(adminRule) : attribute(caller, operand.name);
      case 'target': {
        const [first, second] = operand.parts;
        if (typeof first === 'object' && second === undefined) return attribute(target, first.name);
        const texts = operand.parts.map((part) =>
          typeof part === 'string' ? part : textOf(attribute(target, part.name)),
        );
        return texts.includes(undefined) ? undefined : texts.join('');
      }
    }
  };

  const same = (left: Operand, right: Operand): boolean => {
    const leftValue = resolved(left);
    const rightValue = resolved(right);
    if (left.kind === 'constant' && left.value === null) return rightValue === null;
    if (right.kind === 'constant' && right.value === null) return leftValue === null;
    const texts = textsOf(rightValue);
    return textsOf(leftValue).some((text) => texts.includes(text));
  };

  const hasRole = (operand: Operand): boolean => {
    const wanted = textsOf(resolved(operand)).map((role) => role.toLowerCase());
    return textsOf(own(caller, 'roles')).some((role) => wanted.includes(role.toLowerCase()));
  };

  const passes = (expression: Expression): boolean => {
    switch (expression.kind) {
      case 'everybody':
        return true;
      case 'nobody':
        return false;
      case 'rule':
        return asked(expression.name);
      case 'role':
        return hasRole(expression.role);
      case 'same':
        return same(expression.subject, expression.value);
      case 'not':
        return !passes(expression.of);
      case 'and':
        return expression.of.every(passes);
      case 'or':
        return expression.of.some(passes);
    }
  };

  const asked = (name: string): boolean => {
    const known = decided.get(name);
    if (known !== undefined) return known;
    const expression = rules.get(name);
    const passed = expression !== undefined && passes(expression);
    decided.set(name, passed);
    return passed;
  };

  return asked;
}
