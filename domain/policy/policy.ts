import { defaultRules, type RuleName, retiredRules } from './defaults.ts';
import { decision, type PolicyAttributes } from './evaluate.ts';
import { adminRule, type Expression, references } from './expression.ts';
import { parseRule } from './parse.ts';
import { BadRule, PolicyRefused, shown } from './policy-refused.ts';
import { printed } from './print.ts';
import { referenceProblems } from './references.ts';

/** Rules that are known to be whole: every name is defined, no circles, nothing left to fail on. */
export interface Policy {
  allows(rule: RuleName, target: PolicyAttributes, caller: PolicyAttributes): boolean;
  defines(rule: string): boolean;
  /** As `allows`, for a rule that `defines` knows (property protections in policy mode). Throws on any other: a bug. */
  allowsNamed(rule: string, target: PolicyAttributes, caller: PolicyAttributes): boolean;
  /** What `is_admin:True` says of the caller. */
  isAdmin(caller: PolicyAttributes): boolean;
  /** Names in the operator's file that no call asks any more, for a warning. */
  readonly retired: readonly string[];
  /** Every rule in force, the operator's over the defaults, in the rule language. */
  readonly inForce: ReadonlyMap<string, string>;
}

export interface PolicyOptions {
  /** Rules that other files of the operator ask by name; whether they are all defined is theirs to see to. */
  readonly alsoAsked?: readonly string[];
}

const parsedRules = (
  written: readonly (readonly [string, unknown])[],
  problems: string[],
): Map<string, Expression> => {
  const rules = new Map<string, Expression>();
  for (const [name, rule] of written)
    try {
      rules.set(name, parseRule(rule));
    } catch (error) {
      if (!(error instanceof BadRule)) throw error;
      problems.push(`${shown(name)}: ${error.message}`);
    }
  return rules;
};

/** The entries of the file; one that is empty or holds only comments is read as null. */
function entriesOf(file: unknown): readonly (readonly [string, unknown])[] {
  if (file === null || file === undefined) return [];
  // A Map has no entries of an object's kind: it would read as an empty policy.
  if (typeof file !== 'object' || Array.isArray(file) || file instanceof Map)
    throw new PolicyRefused(['the policy must be an object of rule names and rules']);
  return Object.entries(file);
}

const defaults = Object.entries(defaultRules);
const ours: ReadonlySet<string> = new Set(Object.keys(defaultRules));

/**
 * The operator's rules over the default ones. `file` is what a YAML or JSON reader made of `policy.yaml`. Throws
 * PolicyRefused with every problem at once.
 */
export function parsePolicy(file: unknown, { alsoAsked = [] }: PolicyOptions = {}): Policy {
  const problems: string[] = [];
  const written = entriesOf(file);
  const overrides = parsedRules(written, problems);
  const rules = new Map([...parsedRules(defaults, problems), ...overrides]);

  const asked = new Set([...alsoAsked, ...[...overrides.values()].flatMap(references)]);
  for (const [name] of written)
    if (!ours.has(name) && !retiredRules.has(name) && !asked.has(name))
      problems.push(`${shown(name)} is no rule of the Image API and no other rule refers to it`);

  // A name whose rule was refused above is defined all the same: one mistake is one problem.
  const named = new Set(written.map(([name]) => name));
  const whole = new Map<string, Expression>([
    ...[...named].map((name) => [name, { kind: 'nobody' }] as const),
    ...rules,
  ]);
  problems.push(...referenceProblems(whole));
  if (problems.length > 0) throw new PolicyRefused(problems);

  const allowsNamed: Policy['allowsNamed'] = (rule, target, caller) => {
    if (!rules.has(rule)) throw new Error(`no rule is named ${shown(rule)}`);
    return decision(rules, target, caller)(rule);
  };
  return {
    allows: allowsNamed,
    defines: (rule) => rules.has(rule),
    allowsNamed,
    isAdmin: (caller) => allowsNamed(adminRule, {}, caller),
    retired: [...named].filter((name) => retiredRules.has(name)),
    inForce: new Map([...rules].map(([name, rule]) => [name, printed(rule)])),
  };
}
