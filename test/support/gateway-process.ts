import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Daguerre } from './daguerre.ts';
import { gone, killNow } from './processes.ts';

const main = fileURLToPath(new URL('../../apps/gateway/main.js', import.meta.url));

/** A gateway of its own beside a running Daguerre: another port, the same Postgres, staging and stores. */
export interface GatewayProcess {
  readonly url: string;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startGatewayProcess(
  daguerre: Pick<Daguerre, 'postgresUrl' | 'dataDir'> & Partial<Pick<Daguerre, 'natsUrl'>>,
  settings: Readonly<Record<string, string>> = {},
): Promise<GatewayProcess> {
  const child = fork(main, [], {
    env: {
      // biome-ignore lint/style/noProcessEnv: a child needs PATH and TMPDIR
      ...process.env,
      DAGUERRE_POSTGRES_URL: daguerre.postgresUrl,
      DAGUERRE_DATA_DIR: daguerre.dataDir,
      ...(daguerre.natsUrl ? { DAGUERRE_NATS_URL: daguerre.natsUrl } : {}),
      DAGUERRE_PORT: '0',
      DAGUERRE_LOG_LEVEL: 'error',
      ...settings,
    },
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('a second gateway cannot be started');
  const ended = once(child, 'exit');
  const [said] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => {
      throw new Error(`the second gateway ended at its start with code ${code}`);
    }),
  ])) as [{ readonly url: string }];
  return {
    url: said.url,
    async kill() {
      killNow(pid);
      await gone([pid]);
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
