import { readFileSync } from 'node:fs';
import type { Policy } from '../../domain/policy/policy.ts';
import {
  type PropertyProtections,
  ProtectionsRefused,
  parseProtections,
  protectionsBy,
  unprotected,
} from '../../domain/property-protections/protections.ts';
import { type Config, ConfigError } from '../config/config.ts';
import { policyFrom } from './policy-file.ts';

export interface OperatorsRules {
  readonly policy: Policy;
  readonly protections: PropertyProtections;
}

type Settings = Pick<
  Config,
  'policy-file' | 'property-protection-file' | 'property-protection-rule-format'
>;

/**
 * The policy and the property protections of the operator's files, which may name rules of each other. Throws `ConfigError`
 * with every problem of the first file that has any.
 */
export function operatorsRules(config: Settings): OperatorsRules {
  const path = config['property-protection-file'];
  if (path === undefined)
    return { policy: policyFrom(config['policy-file']), protections: unprotected };
  const rules = refusing(path, () =>
    parseProtections(readFileSync(path, 'utf8'), config['property-protection-rule-format']),
  );
  const policy = policyFrom(config['policy-file'], { alsoAsked: rules.asked });
  return { policy, protections: refusing(path, () => protectionsBy(rules, policy)) };
}

function refusing<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtectionsRefused)
      throw new ConfigError(error.problems.map((problem) => `${path}: ${problem}`));
    throw new ConfigError([`--property-protection-file ${path}: ${(error as Error).message}`]);
  }
}
