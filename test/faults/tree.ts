import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { type Daguerre, type DaguerreOptions, startDaguerre } from '../support/daguerre.ts';
import { until } from '../support/until.ts';
import { type Api, apiAt } from './api.ts';

/** A running system that can lose any of its parts, and itself, and comes back at the same data. */
export interface Tree {
  readonly api: Api;
  readonly dataDir: string;
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
  stop(): Promise<void>;
}

export async function startTree(
  args: readonly string[] = [],
  options: Omit<DaguerreOptions, 'dataDir' | 'args' | 'env'> = {},
): Promise<Tree> {
  const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-faults-'));
  const crashFile = join(dataDir, 'crash');
  const start = (): Promise<Daguerre> =>
    startDaguerre({
      ...options,
      dataDir,
      args: ['--sweep-interval-ms', '300', '--log-level', 'warn', ...args],
      env: { DAGUERRE_TEST_CRASH_FILE: crashFile },
    });
  let current = await start();
  const api = apiAt(current.url);
  const tree: Tree = {
    api,
    dataDir,
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
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  await tree.answers();
  return tree;
}
