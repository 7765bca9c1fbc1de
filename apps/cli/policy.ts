import { configFrom, settingsHelp } from '../../infra/config/config.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { houseRulesFrom } from '../gateway/house-rules.ts';
import { asksForHelp, type Command } from './command.ts';

const usage = `Usage: daguerre policy [FLAGS]

Checks --policy-file, --property-protection-file and --schema-image-file as a start would,
and prints every rule in force, the defaults among them, as a policy.yaml.

${settingsHelp()}
`;

export const policyCommand: Command = {
  name: 'policy',
  summary: "check the operator's files, and print every rule in force",
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const config = configFrom(args, environment);
    const { policy } = operatorsRules(config);
    houseRulesFrom(config);
    // JSON texts are YAML too.
    for (const [name, rule] of policy.inForce)
      process.stdout.write(`${JSON.stringify(name)}: ${JSON.stringify(rule)}\n`);
    return 0;
  },
};
