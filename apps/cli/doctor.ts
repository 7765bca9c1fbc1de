import {
  type Config,
  ConfigError,
  configFrom,
  type Environment,
  settingsHelp,
} from '../../infra/config/config.ts';
import { isEventStoreDb } from '../../infra/event-log/open.ts';
import { operatorsRules } from '../../infra/policy/operators-rules.ts';
import { embeddedPostgresUrl } from '../../infra/postgres/embedded.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { houseRulesFrom } from '../gateway/house-rules.ts';
import { pendingOn } from '../migrations.ts';
import { readRunning } from '../standalone/running-file.ts';
import { asksForHelp, type Command, switches } from './command.ts';
import { examineDirectories } from './doctor/directories.ts';
import { examineEventLog } from './doctor/event-log.ts';
import { examineExports } from './doctor/exports.ts';
import type { Finding } from './doctor/finding.ts';
import { examineIdentity } from './doctor/keystone.ts';
import { examineNats } from './doctor/nats.ts';
import { examinePostgres } from './doctor/postgres.ts';
import { examineRedis } from './doctor/redis.ts';
import { examineRunning } from './doctor/running.ts';

const usage = `Usage: daguerre doctor [--json] [FLAGS]

Looks at everything that the settings name, and at what runs, and says of each what is so and what
to do. Changes nothing. Ends with 0, or with 1 where something fails.

  --json            the same as one JSON document

${settingsHelp()}
`;

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'look at every connection and directory, and say what is wrong',
  async run(args, environment) {
    if (asksForHelp(args)) {
      process.stdout.write(usage);
      return 0;
    }
    const { rest, given } = switches(args, ['json']);
    const findings = await examineAll(rest, environment);
    process.stdout.write(
      given.json ? `${JSON.stringify(findings, undefined, 2)}\n` : lines(findings),
    );
    return findings.some(({ verdict }) => verdict === 'fail') ? 1 : 0;
  },
};

function lines(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ of }) => of.length)) + 2;
  return findings
    .map(({ of, verdict, says }) => `${verdict.padEnd(6)}${of.padEnd(width)}${says}\n`)
    .join('');
}

async function examineAll(
  args: readonly string[],
  environment: Environment,
): Promise<readonly Finding[]> {
  let config: Config;
  try {
    config = configFrom(args, environment);
    operatorsRules(config);
    houseRulesFrom(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split('\n')
      .map((says) => ({ of: 'configuration', verdict: 'fail', says }) as const);
  }
  const whole = withStarted(config);
  const all = await Promise.all([
    [{ of: 'configuration', verdict: 'ok', says: 'every setting is one, and can be so' } as const],
    examineDirectories(whole),
    examineDatabases(whole),
    examineNats(whole),
    examineRedis(whole),
    examineIdentity(whole),
    examineExports(whole),
  ]);
  return all.flat();
}

/** With the servers that a running tree started itself, which its file names. */
function withStarted(config: Config): Config {
  const running = readRunning(config['data-dir']);
  return {
    ...config,
    'nats-url': config['nats-url'] ?? running?.natsUrl?.split(','),
    'redis-url': config['redis-url'] ?? running?.redisUrl ?? undefined,
  };
}

async function examineDatabases(config: Config): Promise<readonly Finding[]> {
  // Each finding says what its log would.
  const log = logger('doctor', 'silent');
  const dataDir = config['data-dir'];
  const postgresUrl = config['postgres-url'] ?? (await embeddedPostgresUrl(dataDir));
  if (postgresUrl === undefined) {
    const says = `the embedded one does not run in ${dataDir}: npm start starts it; what it holds was not looked at`;
    return [{ of: 'postgres', verdict: 'warn', says }];
  }
  const eventLogUrl = config['event-log-url'] ?? postgresUrl;
  const databases = { postgresUrl, eventLogUrl };
  const examined = (of: string, setting: string, url: string) =>
    examinePostgres(of, setting, url, { log, pending: () => pendingOn(url, databases, log) });

  const postgres = await examined('postgres', '--postgres-url', postgresUrl);
  const isApart = eventLogUrl !== postgresUrl && !isEventStoreDb(eventLogUrl);
  const apart = isApart ? await examined('log database', '--event-log-url', eventLogUrl) : [];
  const failed = [...postgres, ...apart].some(({ verdict }) => verdict === 'fail');
  if (failed && !isEventStoreDb(eventLogUrl)) return [...postgres, ...apart];
  const events = await examineEventLog(eventLogUrl, log);
  const running = failed ? [] : await examineRunning(config, databases, log);
  return [...postgres, ...apart, ...events, ...running];
}
