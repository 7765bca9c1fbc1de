import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Config,
  ConfigError,
  configFrom,
  type Environment,
  environmentOf,
  settingsHelp,
} from '../../infra/config/config.ts';
import { certifyDeath } from '../../infra/leases/heartbeat.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { takeOwnership } from '../../infra/postgres/embedded/owner.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { houseRulesFrom } from '../gateway/house-rules.ts';
import { migrateAll } from '../migrations.ts';
import { makeByteDirs, makeDataDir, requireDatabases } from '../places.ts';
import { banner } from './banner.ts';
import { type Child, keepRunning } from './child.ts';
import { keepPostgresRunning } from './database.ts';
import { runningFile } from './running-file.ts';

const usage = `Usage: npm start -- [FLAGS]     (or: npx daguerre up [FLAGS])

Runs the whole of Daguerre on this machine: gateway, worker, projector and, unless
--postgres-url names one, an embedded Postgres. Each flag is also an environment
variable (--data-dir is DAGUERRE_DATA_DIR) and a line of the --config file (data-dir:).

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
  let config: Config;
  try {
    config = configFrom(args, environment);
    operatorsRules(config);
    houseRulesFrom(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\nnpm start -- --help shows every setting.\n`);
    return 2;
  }
  try {
    await runTree(config, environment);
    return 0;
  } catch (error) {
    process.stderr.write(`daguerre: ${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}

async function runTree(config: Config, environment: Environment): Promise<void> {
  const log = logger('standalone', config['log-level']);
  const stopAsked = stopSignal();
  const dataDir = config['data-dir'];
  await makeDataDir(config);
  await makeByteDirs(config);
  await requireDatabases(config, log);
  const disown = await takeOwnership(join(dataDir, 'daguerre.owner'));
  const running = runningFile(dataDir, log);
  const stops: (() => Promise<void>)[] = [disown, async () => running.remove()];
  try {
    let postgresUrl = config['postgres-url'];
    if (postgresUrl === undefined) {
      const database = await keepPostgresRunning(dataDir, log, (pid) =>
        running.setPart('postgres', pid),
      );
      stops.push(() => database.stop());
      postgresUrl = database.url;
    }
    running.setUrls({ postgresUrl });
    const told: Config = { ...config, 'postgres-url': postgresUrl };
    const eventLogUrl = config['event-log-url'] ?? postgresUrl;
    await migrateAll({ postgresUrl, eventLogUrl }, log);

    const beats = postgresPool(postgresUrl, {
      log,
      max: 1,
      applicationName: 'daguerre up',
      queryTimeoutMs: 5_000,
    });
    stops.push(() => beats.end());

    let port = config.port;
    const start = (name: string): Child => {
      const child = keepRunning({
        name,
        file: fileURLToPath(new URL(`../${name}/main.js`, import.meta.url)),
        log,
        environment: () => ({ ...inherited(environment), ...environmentOf({ ...told, port }) }),
        onPid: (pid) => running.setPart(name, pid),
        onDeath: (owner) => {
          certifyDeath(beats, owner).catch((error) =>
            log.warn({ err: error, owner }, 'its lease has to run out'),
          );
        },
      });
      stops.push(() => child.stop());
      return child;
    };
    const names = ['projector', 'worker', ...(config['nats-url'] === undefined ? [] : ['relay'])];
    const first = names.map((name) => start(name).firstReady);
    // A gateway that dies before the others are ready comes back on the port that it has told.
    const gateway = start('gateway').firstReady.then((said) => {
      port = Number(said.port);
      return said;
    });
    const began = await Promise.race([Promise.all([gateway, ...first]), stopAsked]);
    if (began === undefined) return;
    const [listening] = began;
    const url = config['public-endpoint'] ?? String(listening.url);
    running.setUrls({ url: String(listening.url) });
    process.stdout.write(banner(config, url));
    await stopAsked;
    log.info('stopping');
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** Resolves at the first signal; at the second, everything of this tree is left to the next start. */
function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (asked && signal === 'SIGINT') process.exit(130);
        asked = true;
        resolve(undefined);
      });
  });
}

/** A child reads the settings that its parent resolved, and none besides. */
const inherited = (environment: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined &&
        (!entry[0].startsWith('DAGUERRE_') || entry[0].startsWith('DAGUERRE_TEST_')),
    ),
  );
