import { type ChildProcess, spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

/** What a tool that reads a stranger's bytes may use up. */
export interface Confinement {
  /** Of address space. */
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  /** Longest file that it may write; default none at all. */
  readonly fileBytes?: number;
}

/** How a tool ended. */
export interface Ended {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it said. */
  readonly said: string;
}

export interface Confined {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Where tools are looked for: what is in our own environment is no tool's business. */
const directories = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
const mostSaid = 2_000;
/** Each thread of a tool takes as much address space. */
const stackBytes = 2 * 1024 * 1024;

/** Debian packages by the tools that come with them. */
const packages: Readonly<Record<string, string>> = {
  bzip2: 'bzip2',
  prlimit: 'util-linux',
  'qemu-img': 'qemu-utils',
  setpriv: 'util-linux',
  xz: 'xz-utils',
  zstd: 'zstd',
};

/** Rejects naming each tool that is not here, and how to install it. */
export async function requireTools(plugin: string, tools: readonly string[]): Promise<void> {
  const wanted = ['prlimit', 'setpriv', ...tools];
  const missing: string[] = [];
  for (const tool of wanted) if (!(await isHere(tool))) missing.push(tool);
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((tool) => packages[tool] ?? tool))].join(' ');
  throw new Error(
    `the import plugin ${plugin} needs ${missing.join(', ')}: apt-get install ${names}`,
  );
}

async function isHere(tool: string): Promise<boolean> {
  for (const directory of directories)
    try {
      await access(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      // Perhaps in the next one.
    }
  return false;
}

/**
 * Starts a tool under limits. It dies with this process, gains no rights, and leaves no core. `input` is the file that it
 * reads as its standard input.
 */
export function startConfined(
  tool: string,
  args: readonly string[],
  { memoryBytes, cpuSeconds, fileBytes = 0 }: Confinement,
  { input, signal }: { readonly input?: number; readonly signal: AbortSignal },
): Confined {
  const limits = [
    `--as=${memoryBytes}`,
    `--cpu=${cpuSeconds}`,
    `--fsize=${fileBytes}`,
    '--core=0',
    `--stack=${stackBytes}`,
    '--nofile=64',
  ];
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', '--no-new-privs', 'prlimit', ...limits, tool, ...args],
    {
      stdio: [input ?? 'ignore', 'pipe', 'pipe'],
      // One arena: each takes 64 MiB of address space, whatever is used of it.
      env: { PATH: directories.join(':'), LC_ALL: 'C', MALLOC_ARENA_MAX: '1' },
      signal,
      killSignal: 'SIGKILL',
    },
  );
  let said = '';
  child.stderr?.on('data', (piece: Buffer) => {
    said = (said + piece.toString('utf8')).slice(-mostSaid);
  });
  // An abort is an error of the child, too; how it ended tells all there is to know.
  child.on('error', () => {});
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, by) => resolve({ code, signal: by, said: said.trim() }));
  });
  return { child, ended };
}
