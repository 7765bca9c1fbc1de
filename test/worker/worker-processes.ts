import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { upcast } from '../../domain/image/upcast.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { eventLogMigrations } from '../../infra/event-log/postgres/migrations.ts';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { leaseMigrations } from '../../infra/leases/migrations.ts';
import { readModelMigrations } from '../../infra/read-model/migrations.ts';
import { testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';
import { pipeline, silent as quiet } from './harness.ts';

/** A worker or projector that is started again whenever it dies. */
interface KeptProcess {
  readonly lives: () => number;
  current(): ChildProcess;
  stop(): Promise<void>;
}

type Step = Parameters<PassStep>[0];

/** The pipeline on a real Postgres with a projector; its workers are processes that can be killed, the gateway is the test. */
export async function workerProcesses({
  leaseMs,
  env = {},
}: {
  leaseMs: number;
  /** Settings besides. */
  env?: Readonly<Record<string, string>>;
}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-workers-'));
  const kept: KeptProcess[] = [];
  // The first of the hooks: nobody may write any more where the others remove.
  after(() => Promise.all(kept.map((process) => process.stop())));
  const { url, pool } = await testDatabase([
    ...eventLogMigrations,
    ...readModelMigrations,
    ...leaseMigrations,
  ]);
  const log = postgresEventLog(url, { log: silent, upcast });
  const system = await pipeline({ log, root: dataDir });
  const crashFile = join(dataDir, 'crash');
  const gateway = startHeartbeat(pool, {
    owner: 'gateway-1',
    part: 'gateway',
    intervalMs: leaseMs / 4,
    log: quiet,
  });
  after(async () => {
    await gateway.stop();
    await log.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const keep = (name: 'worker' | 'projector'): KeptProcess => {
    const main = fileURLToPath(new URL(`../../apps/${name}/main.js`, import.meta.url));
    let stopping = false;
    let lives = 0;
    const start = (): ChildProcess => {
      lives += 1;
      return spawn(process.execPath, [main], {
        stdio: 'ignore',
        env: {
          DAGUERRE_DATA_DIR: dataDir,
          DAGUERRE_POSTGRES_URL: url,
          DAGUERRE_LEASE_MS: String(leaseMs),
          DAGUERRE_LOG_LEVEL: 'silent',
          DAGUERRE_TEST_CRASH_FILE: crashFile,
          ...env,
        },
      });
    };
    let current = start();
    const run = async (): Promise<void> => {
      for (;;) {
        await once(current, 'exit');
        if (stopping) return;
        current = start();
      }
    };
    const running = run();
    const process_: KeptProcess = {
      lives: () => lives,
      current: () => current,
      async stop() {
        stopping = true;
        current.kill('SIGTERM');
        await running;
      },
    };
    kept.push(process_);
    return process_;
  };
  keep('projector');

  return {
    ...system,
    pool,
    keepWorker: () => keep('worker'),
    /** The next process that passes the step dies there; with `always`, each one. */
    crashAt: (step: Step, always = false) => writeFile(crashFile, always ? `always ${step}` : step),
    noMoreCrashes: () => rm(crashFile, { force: true }),
  };
}
