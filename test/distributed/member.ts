import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gone, killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';

export type Part = 'gateway' | 'worker' | 'projector' | 'relay';

/**
 * One process of a site, kept as a service manager keeps it: started again when it ends. Nobody tells the others that it
 * died, as the parent of a tree would: leases have to run out.
 */
export interface Member {
  /** `worker-2`. */
  readonly name: string;
  readonly part: Part;
  /** Of the process that runs now; undefined between two of them. */
  pid(): number | undefined;
  /** What it calls itself in claims, once it is ready. */
  owner(): string | undefined;
  /** Resolves when a process is ready; `but` names one that does not count. */
  ready(but?: number): Promise<number>;
  /** `kill -9`, of one that is stopped, too; resolves with the id of what is gone. Another comes after `away`. */
  kill(away?: Promise<unknown>): Promise<number>;
  /** SIGTERM, and another comes, as when an operator restarts it. */
  restart(): Promise<void>;
  /** SIGSTOP. */
  pause(): void;
  resume(): void;
  /** Ends it for good. */
  stop(): Promise<void>;
}

export interface MemberOptions {
  readonly environment: Readonly<Record<string, string>>;
  write(text: string): void;
}

const restartPauseMs = 100;

export function startMember(
  { name, part }: Pick<Member, 'name' | 'part'>,
  { environment, write }: MemberOptions,
): Member {
  const file = fileURLToPath(new URL(`../../apps/${part}/main.js`, import.meta.url));
  let child: ChildProcess | undefined;
  let owner: string | undefined;
  let comesBack: Promise<unknown> = Promise.resolve();
  const stopping = new AbortController();
  const stopped = once(stopping.signal, 'abort');

  const runOnce = async (): Promise<void> => {
    const running = fork(file, [], {
      env: environment,
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child = running;
    for (const stream of [running.stdout, running.stderr])
      stream?.on('data', (piece: Buffer) => write(`${name} ${piece}`));
    running.on('message', (said: { readonly owner: string }) => {
      owner = said.owner;
    });
    const [code, signal] = await once(running, 'exit');
    child = undefined;
    owner = undefined;
    write(`${name} ended: ${signal ?? code}\n`);
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await runOnce();
      await Promise.race([comesBack, stopped]);
      await delay(restartPauseMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();

  const pidNow = (): Promise<number> => until(`${name} to run`, () => child?.pid);
  const member: Member = {
    name,
    part,
    pid: () => child?.pid,
    owner: () => owner,
    ready: (but) =>
      until(`${name} to be ready`, () => owner !== undefined && child?.pid !== but && child?.pid),
    async kill(away = Promise.resolve()) {
      comesBack = away;
      const victim = await pidNow();
      killNow(victim);
      await gone([victim]);
      return victim;
    },
    async restart() {
      const before = await member.ready();
      child?.kill('SIGTERM');
      await gone([before]);
      await member.ready(before);
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      stopping.abort();
      child?.kill('SIGTERM');
      child?.kill('SIGCONT');
      await running;
    },
  };
  return member;
}
