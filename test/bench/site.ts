import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { gone } from '../support/processes.ts';

/** An installation for one measurement. */
export interface Site {
  readonly daguerre: Daguerre;
  /** All its processes, the database's too, are these or descend from them. */
  readonly pids: readonly number[];
  /** The same data with other flags: it stops, and starts as another site, which has to be ended instead. */
  again(args: readonly string[]): Promise<Site>;
  /** Kills it and removes its data: nobody goes through what a large log holds, as other tests do at their end. */
  end(): Promise<void>;
}

export async function startSite(args: readonly string[] = []): Promise<Site> {
  return siteIn(await mkdtemp(join(tmpdir(), 'daguerre-bench-')), args);
}

async function siteIn(dataDir: string, args: readonly string[]): Promise<Site> {
  const daguerre = await startDaguerre({ dataDir, args: ['--log-level', 'warn', ...args] });
  const pids = [daguerre.pid, ...Object.values(daguerre.parts())].filter(
    (pid) => pid !== undefined,
  );
  const interrupted = () => void end().then(() => process.exit(130));
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const forget = (): void => {
    for (const signal of signals) process.off(signal, interrupted);
  };
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => {
    forget();
    ending ??= daguerre.killAll().then(() => rm(dataDir, { recursive: true, force: true }));
    return ending;
  };
  for (const signal of signals) process.on(signal, interrupted);
  return {
    daguerre,
    pids,
    async again(others) {
      forget();
      process.kill(daguerre.pid, 'SIGTERM');
      await gone(pids);
      return siteIn(dataDir, others);
    },
    end,
  };
}
