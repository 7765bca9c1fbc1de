import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requirePackage } from './packages.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  /** Standard output and error, as a person sees them. */
  readonly all: string;
}

/** One of the stock command line clients; resolves whatever its exit code. */
export type Client = (...args: readonly string[]) => Promise<Said>;

/** Longest that a client may take, transfers included; Python alone needs seconds on a busy machine. */
const timeoutMs = 180_000;

/**
 * The clients as an operator has them, configured as `npm start` tells. `token` is
 * `user:project:role,role`, which only glance sends; the default caller without it.
 */
export function stockClients(
  url: string,
  token = 'none',
): { readonly glance: Client; readonly openstack: Client } {
  const { glance, openstack } = clientsWith({ OS_IMAGE_URL: url, OS_AUTH_TOKEN: token }, {});
  return {
    glance,
    openstack: (...args) => openstack('--os-auth-type', 'none', '--os-endpoint', url, ...args),
  };
}

/**
 * The clients with an environment of their own, such as the `OS_` variables of a Keystone user. `start` makes a client of
 * a command's name and its whole environment.
 */
export function clientsWith(
  forGlance: Readonly<Record<string, string>>,
  forOpenstack = forGlance,
  start = client,
): { readonly glance: Client; readonly openstack: Client } {
  requirePackage('python3-glanceclient');
  requirePackage('python3-openstackclient');
  // Of its own: glance keeps the schemas of each endpoint there, and a port is soon another server's.
  const home = mkdtempSync(join(tmpdir(), 'client-home-'));
  const environment = { PATH: searchPath, HOME: home, LC_ALL: 'C.UTF-8', PYTHONWARNINGS: 'ignore' };
  return {
    glance: start('glance', { ...environment, ...forGlance }),
    openstack: start('openstack', { ...environment, ...forOpenstack }),
  };
}

// biome-ignore lint/style/noProcessEnv: where the commands are is the machine's affair
const searchPath = process.env.PATH ?? '';

type Start = (command: string, env: Readonly<Record<string, string>>) => Client;

const client: Start =
  (command, env) =>
  (...args) =>
    new Promise((resolve, reject) => {
      const options = { env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
      // With standard input closed: glance takes any that is no terminal for the image's data.
      const closed = ['-c', 'exec "$0" "$@" <&-', command, ...args];
      execFile('sh', closed, options, (error, out, err) => {
        const code = error === null ? 0 : error.code;
        if (typeof code !== 'number') reject(error);
        else resolve({ code, out, all: out + err });
      });
    });

/** What a command printed. Throws with all of it unless it ended well. */
export async function succeeded(said: Promise<Said>): Promise<string> {
  const { code, out, all } = await said;
  if (code !== 0) throw new Error(`a client ended with exit code ${code}:\n${all}`);
  return out;
}

/** What a client said who was refused. Throws unless it ended badly, saying why. */
export async function refused(said: Promise<Said>, why: RegExp): Promise<string> {
  const { code, all } = await said;
  if (code === 0) throw new Error(`a client ended well that should have been refused:\n${all}`);
  if (!why.test(all)) throw new Error(`a client did not say ${why}:\n${all}`);
  return all;
}

/** Where glance cuts a value into lines. */
const columnWidth = 80;

/** The rows of a `Property | Value` table; a value that was cut into lines is put together again. */
export function tableOf(printed: string): Readonly<Record<string, string>> {
  const rows: Record<string, string> = {};
  let row = '';
  let lineBefore = '';
  for (const line of printed.split('\n').filter((each) => each.startsWith('|'))) {
    const [, name = '', ...cells] = line.split('|').map((cell) => cell.trim());
    const value = cells.slice(0, -1).join('|');
    const space = lineBefore.length >= columnWidth ? '' : ' ';
    if (name !== '') row = name;
    rows[row] = name === '' ? rows[row] + space + value : value;
    lineBefore = value;
  }
  return rows;
}

export const pick = (
  table: Readonly<Record<string, string>>,
  ...rows: readonly string[]
): Record<string, string | undefined> => Object.fromEntries(rows.map((row) => [row, table[row]]));

/** The rows of a table whose first row names its columns; no value of it may hold a `|`. */
export function rowsOf(printed: string): Readonly<Record<string, string>>[] {
  const [names = [], ...rows] = printed
    .split('\n')
    .filter((each) => each.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
  return rows.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i] ?? ''])));
}
