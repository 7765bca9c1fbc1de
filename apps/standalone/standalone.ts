import {
  type Config,
  ConfigError,
  configFrom,
  type Environment,
  settingsHelp,
} from '../../infra/config/config.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { installPackages, MissingPackages } from '../../infra/servers/debian-packages.ts';
import { natsProgram, redisProgram } from '../../infra/servers/programs.ts';
import { houseRulesFrom } from '../gateway/house-rules.ts';
import { runTree } from './tree.ts';

const usage = `Usage: npm start -- [FLAGS]                   (or: npx daguerre up [FLAGS])
       npm run start:distributed -- [FLAGS]   (or: npx daguerre up --distributed [FLAGS])

Runs the whole of Daguerre on this machine: gateways, workers, projectors and, unless
--postgres-url names one, an embedded Postgres. Each flag is also an environment
variable (--data-dir is DAGUERRE_DATA_DIR) and a line of the --config file (data-dir:).

  --distributed     with a nats-server and a redis-server, too, as a cloud runs it: started here,
                    unless --nats-url and --redis-url name others. Debian's packages are installed
                    where they are missing and that may be.

${settingsHelp()}
  --help            this text
`;

/** Runs the tree until a signal stops it; resolves with the exit code. */
export async function standalone(
  args: readonly string[],
  environment: Environment,
): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage);
    return 0;
  }
  const distributed = args.includes('--distributed');
  let config: Config;
  try {
    config = configFrom(
      args.filter((arg) => arg !== '--distributed'),
      environment,
    );
    operatorsRules(config);
    houseRulesFrom(config);
    if (distributed) requireServers(config, environment);
  } catch (error) {
    if (error instanceof MissingPackages) return refused(error, namedInstead);
    if (error instanceof ConfigError)
      return refused(error, 'npm start -- --help shows every setting.');
    throw error;
  }
  try {
    await runTree(config, environment, { distributed });
    return 0;
  } catch (error) {
    process.stderr.write(`daguerre: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}

/** Only for what the settings do not name. */
function requireServers(config: Config, environment: Environment): void {
  const wanted = [
    ...(config['nats-url'] === undefined ? [natsProgram] : []),
    ...(config['redis-url'] === undefined ? [redisProgram] : []),
  ];
  const packages = wanted.map(({ debianPackage }) => debianPackage);
  installPackages(packages, environment.PATH ?? '', (line) => process.stderr.write(`${line}\n`));
}

const namedInstead = 'Or name servers of your own: --nats-url and --redis-url.';

function refused(error: Error, advice: string): number {
  process.stderr.write(`${error.message}\n${advice}\n`);
  return 2;
}
