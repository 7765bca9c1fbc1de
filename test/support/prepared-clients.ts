import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { clientProgram } from './client-program.ts';
import type { Client } from './clients.ts';

/** What each command imports late, and the groups of plugins that it looks through each time. */
const imports: Readonly<Record<string, readonly [groups: string, ...modules: string[]]>> = {
  glance: [
    '',
    'glanceclient.v2.client',
    'glanceclient.v2.shell',
    'keystoneauth1.loading',
    'warlock',
  ],
  openstack: [
    'openstack.',
    'openstack.connection',
    'openstack.image.v2._proxy',
    'keystoneclient.v3.client',
    'keystoneauth1.loading',
    'cliff.formatters.json_format',
  ],
};

/** Longest that one command may take. */
const seconds = 180;

interface Prepared {
  run(args: readonly string[], env: Readonly<Record<string, string>>): ReturnType<Client>;
}

const running = new Map<string, Prepared>();

/** The command as its package installs it, but imported once for all calls; otherwise as `clientsWith`. */
export function preparedClient(command: string, env: Readonly<Record<string, string>>): Client {
  return (...args) => {
    const prepared = running.get(command) ?? prepare(command);
    running.set(command, prepared);
    return prepared.run(args, env);
  };
}

function prepare(command: string): Prepared {
  const directory = mkdtempSync(join(tmpdir(), `${command}-`));
  const child = spawn(
    '/usr/bin/python3',
    ['-W', 'ignore', '-c', clientProgram, command, String(seconds), ...(imports[command] ?? [''])],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { LC_ALL: 'C.UTF-8', PATH: '/usr/bin:/bin' } },
  );
  let count = 0;
  const waiting = new Map<number, (code: number | Error) => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, code } = JSON.parse(line) as { id: number; code: number };
    waiting.get(id)?.(code);
  });
  child.once('exit', (code) => {
    for (const tell of waiting.values()) tell(new Error(`${command} ended: ${code}`));
  });
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  mayEnd(child, true);

  return {
    async run(args, env) {
      const id = count++;
      const [out, err] = [join(directory, `${id}.out`), join(directory, `${id}.err`)];
      mayEnd(child, false);
      const ended = new Promise<number | Error>((resolve) => waiting.set(id, resolve));
      child.stdin.write(`${JSON.stringify({ id, args, env, out, err })}\n`);
      const code = await ended;
      waiting.delete(id);
      if (waiting.size === 0) mayEnd(child, true);
      if (code instanceof Error) throw code;
      const said = await Promise.all([readFile(out, 'utf8'), readFile(err, 'utf8')]);
      await Promise.all([rm(out), rm(err)]);
      return { code, out: said[0], all: said.join('') };
    },
  };
}

/** Whether this process may end though the child runs, which ends then too. */
function mayEnd(child: ChildProcess, may: boolean): void {
  for (const held of [child, child.stdin, child.stdout] as readonly {
    ref?: () => void;
    unref?: () => void;
  }[])
    if (may) held.unref?.();
    else held.ref?.();
}
