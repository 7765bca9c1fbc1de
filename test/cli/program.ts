import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npx daguerre ARGS`, as it goes on. */
export interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly ended: Promise<Ran>;
}

export function start(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Running {
  // biome-ignore lint/style/noProcessEnv: nothing else of it is for the program
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, ...environment },
  });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => err.push(text));
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout: out.join(''), stderr: err.join('') }));
  });
  return { child, stdout: () => out.join(''), ended };
}

/** The same, once it has ended. */
export const run = (
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Ran> => start(args, environment).ended;
