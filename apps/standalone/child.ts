import { type ChildProcess, fork } from 'node:child_process';
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

/** MiB for what is new. V8 would take four times as much, and each process of the system for itself. */
const youngGeneration = '--max-semi-space-size=4';

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

  /** What others make of a process's life must not end our care for it. */
  const tell = (call: () => void): void => {
    try {
      call();
    } catch (error) {
      log.error({ err: error }, `what becomes of the ${name} could not be told`);
    }
  };

  const runOnce = async (): Promise<void> => {
    const child = fork(file, [], {
      env: options.environment(),
      execArgv: ['--enable-source-maps', youngGeneration],
      // A process group of its own: a Ctrl-C on the terminal is for the parent, which stops its children in order.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    current = child;
    const ended = endOf(child);
    tell(() => options.onPid(child.pid));
    let owner: string | undefined;
    child.on('message', (message: Readonly<Record<string, unknown>>) => {
      owner = String(message.owner);
      first.resolve(message);
    });
    const ending = await ended;
    current = undefined;
    tell(() => options.onPid(undefined));
    const dead = owner;
    if (dead !== undefined && !stopping) tell(() => options.onDeath(dead));
    const how = ending.err?.message ?? ending.signal ?? `exit code ${ending.code}`;
    first.reject(new Error(`the ${name} ended while starting (${how})`));
    if (!stopping) log.warn(ending, `the ${name} ended; it is started again`);
  };

  const run = async (): Promise<void> => {
    let pauseMs = shortestPauseMs;
    while (!stopping) {
      const began = Date.now();
      await runOnce().catch((error) => {
        first.reject(error);
        log.error({ err: error }, `the ${name} cannot be started`);
      });
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

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why there never was a process: none left to be had, or no memory. */
  readonly err?: Error;
}

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    // Of a process that runs, an error says that it could not be sent something.
    child.on('error', (err) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, err });
    });
  });
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
