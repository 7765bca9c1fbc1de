import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../infra/telemetry/logger.ts';

export interface ChildOptions {
  readonly name: string;
  /** Compiled main file. */
  readonly file: string;
  readonly log: Logger;
  /** Read anew at each start. */
  environment(): Readonly<Record<string, string>>;
  /** At each start and end of the process, with its id while it lives. */
  onPid(pid: number | undefined): void;
  /** A process that called itself `owner` when it was ready has died. */
  onDeath(owner: string): void;
}

export interface Child {
  /** What the process said when it was first ready. Rejects when it ends before that: a restart would not help. */
  readonly firstReady: Promise<Readonly<Record<string, unknown>>>;
  /** Asks it to stop, and ends it when it does not within `stopTimeoutMs`. */
  stop(): Promise<void>;
}

const stopTimeoutMs = 20_000;
const shortestPauseMs = 50;
const longestPauseMs = 5_000;
/** A process that lived this long did not die of its start. */
const settledAfterMs = 10_000;

/** Keeps one process of the system running: a child that dies is started again, with growing pauses when it dies at once. */
export function keepRunning(options: ChildOptions): Child {
  const { name, file, log } = options;
  let stopping = false;
  let current: ChildProcess | undefined;
  const pause = new AbortController();
  const first = deferred<Readonly<Record<string, unknown>>>();

  const runOnce = async (): Promise<void> => {
    const child = fork(file, [], {
      env: options.environment(),
      execArgv: ['--enable-source-maps'],
      // A process group of its own: a Ctrl-C on the terminal is for the parent, which stops its children in order.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    current = child;
    options.onPid(child.pid);
    let owner: string | undefined;
    child.on('message', (message: Readonly<Record<string, unknown>>) => {
      owner = String(message.owner);
      first.resolve(message);
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    current = undefined;
    options.onPid(undefined);
    if (owner !== undefined && !stopping) options.onDeath(owner);
    first.reject(new Error(`the ${name} ended while starting (${signal ?? `exit code ${code}`})`));
    if (!stopping) log.warn({ code, signal }, `the ${name} ended; it is started again`);
  };

  const run = async (): Promise<void> => {
    let pauseMs = shortestPauseMs;
    while (!stopping) {
      const began = Date.now();
      await runOnce();
      if (stopping) return;
      pauseMs = Date.now() - began > settledAfterMs ? shortestPauseMs : pauseMs;
      await delay(pauseMs, undefined, { signal: pause.signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
  };
  const running = run();
  first.promise.catch(() => {});

  return {
    firstReady: first.promise,
    async stop() {
      stopping = true;
      pause.abort();
      current?.kill('SIGTERM');
      const harder = setTimeout(() => current?.kill('SIGKILL'), stopTimeoutMs);
      await running;
      clearTimeout(harder);
    },
  };
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function deferred<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}
