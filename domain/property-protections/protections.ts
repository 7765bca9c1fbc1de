import { BadPattern } from '../patterns/pattern.ts';
import { searchFor } from '../patterns/search.ts';
import { callerAttributes, type PolicyCaller } from '../policy/attributes.ts';
import type { Policy } from '../policy/policy.ts';
import { sectionsOf } from './sections.ts';

export const propertyOperations = ['create', 'read', 'update', 'delete'] as const;
export type PropertyOperation = (typeof propertyOperations)[number];

/** Whether the file names roles, or rules of the policy. */
export const ruleFormats = ['roles', 'policies'] as const;
export type RuleFormat = (typeof ruleFormats)[number];

/** Who may do what with custom properties of images, beside what the policy lets them do with the image. */
export interface PropertyProtections {
  /** The rule that forbids it, by its section and operation; undefined where nothing does. */
  forbidding(
    operation: PropertyOperation,
    property: string,
    caller: PolicyCaller,
  ): string | undefined;
}

/** Without an operator's file. */
export const unprotected: PropertyProtections = { forbidding: () => undefined };

/** What an operator's file says, still without the policy that it may ask. */
export interface ProtectionRules {
  readonly format: RuleFormat;
  /** The first whose expression is found in a property's name decides. */
  readonly sections: readonly ProtectionSection[];
  /** Names of rules that the policy must have. */
  readonly asked: readonly string[];
}

interface ProtectionSection {
  readonly title: string;
  readonly isFoundIn: (property: string) => boolean;
  readonly may: Readonly<Record<PropertyOperation, Grant>>;
}

/** Roles are lower case. */
type Grant =
  | { readonly kind: 'everyone' }
  | { readonly kind: 'roles'; readonly roles: ReadonlySet<string> }
  | { readonly kind: 'rule'; readonly rule: string };

/** Protections that cannot be used. Each problem names the section and key that it is in. */
export class ProtectionsRefused extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the property protections have ${problems.length} problem(s):\n${problems.join('\n')}`);
    this.name = 'ProtectionsRefused';
    this.problems = problems;
  }
}

/** The server's own properties, which clients cannot name in a request. */
const reserved = 'os_glance';

/**
 * Reads a file in the form of Glance's `property-protections.conf`: each title is an expression of Python's `re`, each of
 * the four keys says who may. Throws `ProtectionsRefused` with every problem at once.
 */
export function parseProtections(text: string, format: RuleFormat): ProtectionRules {
  const problems: string[] = [];
  const sections = sectionsOf(text, problems)
    .filter(({ title }) => !title.startsWith(reserved))
    .map(({ title, values }): ProtectionSection => {
      const complain = (problem: string): void => void problems.push(`[${title}] ${problem}`);
      const may = (operation: PropertyOperation): Grant => {
        const value = values.get(operation);
        if (value === undefined) complain(`lacks ${operation}`);
        return grantFrom(value ?? '', format, (problem) => complain(`${operation} ${problem}`));
      };
      return {
        title,
        isFoundIn: expressionFrom(title, complain),
        may: {
          create: may('create'),
          read: may('read'),
          update: may('update'),
          delete: may('delete'),
        },
      };
    });
  if (problems.length > 0) throw new ProtectionsRefused(problems);
  const grants = sections.flatMap(({ may }) => Object.values(may));
  const asked = grants.flatMap((grant) => (grant.kind === 'rule' ? [grant.rule] : []));
  return { format, sections, asked: [...new Set(asked)] };
}

type Complain = (problem: string) => void;

function expressionFrom(title: string, complain: Complain): (property: string) => boolean {
  try {
    return searchFor(title);
  } catch (error) {
    if (!(error instanceof BadPattern)) throw error;
    complain(`is no expression that can be used: it ${error.message}`);
    return () => false;
  }
}

function grantFrom(value: string, format: RuleFormat, complain: Complain): Grant {
  if (value.replaceAll('%%', '').includes('%')) complain('has a %, which must be written %%');
  const names = value
    .replaceAll('%%', '%')
    .split(',')
    .map((name) => name.trim());
  const has = (name: string): boolean => names.includes(name);
  if (has('@') && has('!')) complain('has both @ and !');
  if (format === 'policies' && names.length > 1)
    complain('has several rules: combine them in the policy file');
  if (has('@')) return { kind: 'everyone' };
  const [rule = ''] = names;
  if (format === 'policies' && rule !== '' && rule !== '!') return { kind: 'rule', rule };
  const roles = has('!') ? [] : names.filter((name) => name !== '');
  return { kind: 'roles', roles: new Set(roles.map((role) => role.toLowerCase())) };
}

/** How many names are remembered with their section. */
const maxRemembered = 1_000;

/** The rules over the policy that they ask. Throws `ProtectionsRefused` naming each rule that the policy does not have. */
export function protectionsBy(rules: ProtectionRules, policy: Policy): PropertyProtections {
  const problems = rules.sections.flatMap(({ title, may }) =>
    propertyOperations.flatMap((operation) => {
      const grant = may[operation];
      return grant.kind === 'rule' && !policy.defines(grant.rule)
        ? [`[${title}] ${operation}: ${JSON.stringify(grant.rule)} is no rule of the policy`]
        : [];
    }),
  );
  if (problems.length > 0) throw new ProtectionsRefused(problems);

  const remembered = new Map<string, ProtectionSection | undefined>();
  const sectionOf = (property: string): ProtectionSection | undefined => {
    if (remembered.has(property)) return remembered.get(property);
    const section = rules.sections.find(({ isFoundIn }) => isFoundIn(property));
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(property, section);
    return section;
  };
  const isGranted = (grant: Grant, caller: PolicyCaller): boolean => {
    switch (grant.kind) {
      case 'everyone':
        return true;
      case 'rule':
        return policy.allowsNamed(grant.rule, {}, callerAttributes(withServiceRoles(caller)));
      case 'roles':
        return rolesOf(caller).some((role) => grant.roles.has(role.toLowerCase()));
    }
  };
  return {
    forbidding(operation, property, caller) {
      if (property.startsWith(reserved)) return undefined;
      const section = sectionOf(property);
      if (section === undefined) return `property protections:${operation}`;
      return isGranted(section.may[operation], caller)
        ? undefined
        : `${section.title}:${operation}`;
    },
  };
}

const rolesOf = ({ roles, serviceRoles = [] }: PolicyCaller): readonly string[] => [
  ...roles,
  ...serviceRoles,
];

/** A rule of the policy sees the roles of a service token as the caller's own here, as the original has it. */
const withServiceRoles = (caller: PolicyCaller): PolicyCaller => ({
  ...caller,
  roles: rolesOf(caller),
});
