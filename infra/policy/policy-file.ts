import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { type Policy, type PolicyOptions, parsePolicy } from '../../domain/policy/policy.ts';
import { PolicyRefused } from '../../domain/policy/policy-refused.ts';
import { ConfigError } from '../config/config.ts';

/**
 * The policy that an operator's `policy.yaml` (or JSON, which is YAML too) makes of the default one; without a path the
 * default one. Throws `ConfigError` with every problem, by rule: a service must not start with rules that nobody wrote.
 */
export function policyFrom(path: string | undefined, options: PolicyOptions = {}): Policy {
  try {
    return parsePolicy(path === undefined ? null : parse(readFileSync(path, 'utf8')), options);
  } catch (error) {
    if (error instanceof PolicyRefused)
      throw new ConfigError(error.problems.map((problem) => `${path}: ${problem}`));
    throw new ConfigError([`--policy-file ${path}: ${(error as Error).message}`]);
  }
}
