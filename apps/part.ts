import { randomUUID } from 'node:crypto';
import type { PassStep } from '../domain/pipeline-steps.ts';
import { type Config, ConfigError, configFrom, type Environment } from '../infra/config/config.ts';
import { type Logger, logger } from '../infra/telemetry/logger.ts';
import { crashPoints } from './crash-points.ts';

/** What a process of the system is given to run with. */
export interface Part {
  readonly config: Config;
  readonly log: Logger;
  /** Names this life of this process, in claims and heartbeats: `worker-<uuid>`. */
  readonly owner: string;
  /** Aborts when the process is asked to stop: stop accepting, drain, close, resolve. */
  readonly stopping: AbortSignal;
  readonly passStep: PassStep;
  /** Tells the parent, if there is one, that work has begun; `info` is for it to read. */
  ready(info?: Readonly<Record<string, unknown>>): void;
}

/** Longest a part may take to stop before it leaves by itself; what it had in hand is taken over. */
const stopTimeoutMs = 15_000;

/**
 * Runs a process from its start to a clean stop (SIGTERM or SIGINT) and sets the exit code: 0 stopped, 1 failed,
 * 2 wrong configuration. A child whose parent died ends at once: the next parent starts its own.
 */
export async function runPart(
  name: string,
  environment: Environment,
  args: readonly string[],
  run: (part: Part) => Promise<void>,
): Promise<void> {
  const config = configOrExit(args, environment);
  const log = logger(name, config['log-level']);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      stop.abort();
      setTimeout(() => process.exit(1), stopTimeoutMs).unref();
    });
  process.on('disconnect', () => process.exit(1));
  const owner = `${name}-${randomUUID()}`;
  const part: Part = {
    config,
    log,
    owner,
    stopping: stop.signal,
    passStep: crashPoints(environment),
    ready: (info) => process.send?.({ owner, ...info }),
  };
  try {
    await run(part);
    process.exit(0);
  } catch (error) {
    if (error instanceof ConfigError) refuse(error);
    log.fatal({ err: error }, `${name} failed`);
    process.exit(1);
  }
}

function configOrExit(args: readonly string[], environment: Environment): Config {
  try {
    return configFrom(args, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return refuse(error);
  }
}

function refuse(error: ConfigError): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
