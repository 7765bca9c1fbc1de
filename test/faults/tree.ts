import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { type Daguerre, type DaguerreOptions, flagOf, startDaguerre } from '../support/daguerre.ts';
import {
  type Profile,
  profileOfThisRun,
  type Surroundings,
  surroundingsOf,
} from '../support/profile.ts';
import { until } from '../support/until.ts';
import { apiAt } from './api.ts';
import type { System } from './system.ts';

/** A running system that can lose any of its parts, and itself, and comes back at the same data. */
export interface Tree extends System {
  readonly dataDir: string;
  /** Flags that a further process of the same system is given, too. */
  readonly args: readonly string[];
  /** Of the distributed profile: bus and queue. */
  readonly servers: Surroundings['servers'];
  now(): Daguerre;
  /** The next process that passes this step dies there; with `always`, every one until `spare`; with `stop`, it sleeps. */
  dieAt(step: Parameters<PassStep>[0], how?: 'always' | 'stop'): Promise<void>;
  /** Whether a process passed the step. */
  died(): boolean;
  spare(): Promise<void>;
  /** Starts anew after `killAll` or `killParent`. */
  restart(): Promise<void>;
  /** Resolves when the API answers from its read model. */
  answers(): Promise<void>;
}

export interface TreeOptions extends Omit<DaguerreOptions, 'dataDir' | 'args' | 'env'> {
  /** Default: what this run is about. */
  readonly profile?: Profile;
}

export async function startTree(
  given: readonly string[] = [],
  { profile = profileOfThisRun(), ...options }: TreeOptions = {},
): Promise<Tree> {
  const surroundings = await surroundingsOf(profile);
  const args = [
    ...['--sweep-interval-ms', '300', '--log-level', 'warn'],
    ...surroundings.args,
    ...given,
  ];
  const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-faults-'));
  const crashFile = join(dataDir, 'crash');
  const start = (): Promise<Daguerre> =>
    startDaguerre({
      ...options,
      dataDir,
      args,
      env: { DAGUERRE_TEST_CRASH_FILE: crashFile },
    });
  let current = await start().catch(async (error) => {
    await surroundings.remove();
    throw error;
  });
  const api = apiAt(current.url);
  const tree: Tree = {
    api,
    dataDir,
    args,
    servers: surroundings.servers,
    postgresUrl: current.postgresUrl,
    stagingDir: flagOf(args, '--staging-dir') ?? join(dataDir, 'staging'),
    storeDir: flagOf(args, '--store-dir') ?? join(dataDir, 'store'),
    log: () => current.log(),
    now: () => current,
    dieAt: (step, how) => writeFile(crashFile, how === undefined ? step : `${how} ${step}`),
    died: () => !existsSync(crashFile),
    spare: () => rm(crashFile, { force: true }),
    async restart() {
      current = await start();
      api.url = current.url;
      await tree.answers();
    },
    async answers() {
      await until('an answer', async () => {
        const answer = await api.json('GET', '/v2/images?limit=1');
        return answer.kind === 'answered' && answer.status === 200;
      });
    },
    async stop() {
      api.close();
      await current.stop();
      await surroundings.remove();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  await tree.answers();
  return tree;
}
