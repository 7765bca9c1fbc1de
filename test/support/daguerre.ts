import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Running, readRunning } from '../../apps/standalone/running-file.ts';
import { gone, killNow, processesOf, runs } from './processes.ts';
import { profileOfThisRun } from './profile.ts';
import { requireAllDecided } from './told-outside.ts';
import { generousMs, until } from './until.ts';

type Process = 'gateway' | 'worker' | 'projector';
/** The second worker is `worker-2`. */
export type PartName = Process | `${Process}-${number}` | 'relay' | 'postgres' | 'nats' | 'redis';

export interface DaguerreOptions {
  /** Default: a new temporary one, which `stop` removes. */
  readonly dataDir?: string;
  /** Flags besides `--data-dir` and `--port`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default 0, a free one. */
  readonly port?: number;
  /** In front of `node main.js ...`: a program that runs it as another user. */
  readonly prefix?: readonly string[];
  /** Compiled main file; default: the one built beside this file. */
  readonly main?: string;
}

/** One running tree. */
export interface Daguerre {
  readonly url: string;
  /** Of all its gateways, that one first. */
  readonly urls: readonly string[];
  readonly dataDir: string;
  readonly postgresUrl: string;
  readonly natsUrl: string | null;
  readonly redisUrl: string | null;
  /** Of the parent of the tree. */
  readonly pid: number;
  /** All that the tree has written to its output so far. */
  log(): string;
  /** Process ids of the parts that live now. */
  parts(): Partial<Record<PartName, number>>;
  /** Resolves when the part runs, which may be under a new id. */
  part(name: PartName): Promise<number>;
  /** `kill -9` of one part as it runs now; resolves with its id when it is gone. */
  kill(name: PartName): Promise<number>;
  /** `kill -9` of the parent alone: its parts are left to themselves. */
  killParent(): Promise<void>;
  /** `kill -9` of everything at one instant. */
  killAll(): Promise<void>;
  /** One signal to the parent; resolves with how it ended. Removes a temporary data directory. */
  stop(signal?: 'SIGINT' | 'SIGTERM'): Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

export const standaloneMain = fileURLToPath(
  new URL('../../apps/standalone/main.js', import.meta.url),
);

/** What makes it the profile that this run is about. */
export const profileFlags = (): readonly string[] =>
  profileOfThisRun() === 'distributed' ? ['--distributed'] : [];

/** The parts of a tree of that profile. */
export const partsOfThisRun = (): readonly PartName[] => [
  ...(['gateway', 'worker', 'projector', 'postgres'] as const),
  ...(profileOfThisRun() === 'distributed' ? (['nats', 'redis', 'relay'] as const) : []),
];

/** Starts `npm start`'s program and waits until it answers. Rejects with its log when it ends before. */
export async function startDaguerre(options: DaguerreOptions = {}): Promise<Daguerre> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'daguerre-')));
  const { child, log, ended } = runStandalone(
    [
      ...profileFlags(),
      ...['--data-dir', dataDir, '--port', String(options.port ?? 0)],
      ...(options.args ?? []),
    ],
    options,
  );
  const explain = (what: string): Error => new Error(`${what}; its log:\n${log()}`);
  let over: Ended | undefined;
  void ended.then((how) => {
    over = how;
  });
  const running = await until('Daguerre to answer', async () => {
    if (over !== undefined) throw explain(`Daguerre ended at its start (${describe(over)})`);
    const said = readRunning(dataDir);
    if (said === undefined || said.pid !== child.pid || said.url === null) return undefined;
    return (await healthy(said.url)) ? said : undefined;
  }).catch((error) => {
    if (child.pid !== undefined) killNow(child.pid);
    throw error instanceof Error && error.message.includes('its log')
      ? error
      : explain(String(error));
  });
  const pid = running.pid;
  const eventLogUrl = flagOf(options.args, '--event-log-url') ?? running.postgresUrl;
  const read = (): Running['parts'] => readRunning(dataDir)?.parts ?? {};
  const part = (name: PartName): Promise<number> =>
    until(`the ${name} to run`, () => {
      const found = read()[name];
      return found !== undefined && runs(found) ? found : undefined;
    });

  return {
    ...running,
    url: running.url ?? '',
    dataDir,
    log,
    parts: read,
    part,
    async kill(name) {
      const victim = await part(name);
      killNow(victim);
      await gone([victim]);
      return victim;
    },
    async killParent() {
      killNow(pid);
      await ended;
    },
    async killAll() {
      for (const victim of [pid, ...Object.values(read())]) killNow(victim);
      await ended;
      // What the file did not name: left by an earlier kill, or begun at this moment.
      await until('the whole tree to be gone', () => {
        const left = processesOf(dataDir);
        for (const victim of left) killNow(victim.pid);
        return left.length === 0;
      });
    },
    async stop(signal = 'SIGINT') {
      const undecided = await requireAllDecided(eventLogUrl).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (over === undefined) child.kill(signal);
      const how = await within(ended, () => explain('Daguerre does not stop'));
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
      if (undecided !== undefined) throw undecided;
      return how;
    },
  };
}

export const flagOf = (args: readonly string[] = [], name: string): string | undefined =>
  args.includes(name) ? args[args.indexOf(name) + 1] : undefined;

/** Runs the program with arguments of its own, as a shell would; for refusals and `--help`. */
export function runStandalone(
  args: readonly string[],
  options: Pick<DaguerreOptions, 'env' | 'prefix' | 'main'> & Pick<SpawnOptions, 'detached'> = {},
): { child: ChildProcess; log: () => string; ended: Promise<Ended> } {
  const [program = '', ...parameters] = [
    ...(options.prefix ?? []),
    process.execPath,
    '--enable-source-maps',
    options.main ?? standaloneMain,
    ...args,
  ];
  const child = spawn(program, parameters, {
    env: { ...surroundings(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
  });
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
  // Not `close`: a part that outlives a killed parent keeps the pipe open.
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  return { child, log: () => pieces.join(''), ended };
}

/** What the test process itself was given, without any setting of Daguerre: a developer may have some. */
function surroundings(): Record<string, string> {
  // biome-ignore lint/style/noProcessEnv: a child needs PATH, HOME and TMPDIR
  const entries = Object.entries(process.env);
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !entry[0].startsWith('DAGUERRE_') && entry[0] !== 'NODE_OPTIONS',
    ),
  );
}

async function healthy(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthcheck`)).ok;
  } catch {
    return false;
  }
}

async function within<Value>(promise: Promise<Value>, error: () => Error): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error()), generousMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const describe = ({ code, signal }: Ended): string => signal ?? `exit code ${code}`;
