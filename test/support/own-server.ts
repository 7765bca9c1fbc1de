import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requirePackage } from './packages.ts';
import { killNow } from './processes.ts';
import { until } from './until.ts';

/** A real server of the caller's own, on a free port of loopback and in a directory of its own. */
export interface OwnServer {
  readonly port: number;
  readonly directory: string;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; likewise. */
  end(): Promise<void>;
  /** Again on the same port and directory. */
  start(): Promise<void>;
  /** It keeps its connections and answers nothing until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its files. */
  remove(): Promise<void>;
}

export interface OwnServerOptions {
  /** The Debian package that it comes from. */
  readonly debianPackage: string;
  command(port: number, directory: string): Promise<readonly [string, ...string[]]>;
}

export async function ownServer({ debianPackage, command }: OwnServerOptions): Promise<OwnServer> {
  requirePackage(debianPackage);
  const directory = await mkdtemp(join(tmpdir(), `daguerre-${debianPackage}-`));
  const port = await freePort();
  const [program, ...args] = await command(port, directory);
  let child: ChildProcess | undefined;
  const pieces: string[] = [];
  const killIt = (): void => {
    if (child?.pid !== undefined) killNow(child.pid);
  };
  // A test file that ends without its hooks must not leave a server behind.
  process.once('exit', killIt);

  const leave = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const leaving = child;
    if (leaving === undefined) return;
    child = undefined;
    const gone = once(leaving, 'exit');
    leaving.kill(signal);
    if (signal === 'SIGTERM') leaving.kill('SIGCONT');
    await gone;
  };
  const server: OwnServer = {
    port,
    directory,
    kill: () => leave('SIGKILL'),
    end: () => leave('SIGTERM'),
    async start() {
      // It dies with this process, even where that is killed.
      const started = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [started.stdout, started.stderr])
        stream.on('data', (piece: Buffer) => pieces.push(piece.toString()));
      child = started;
      await until(`${program} to listen`, () => {
        if (started.exitCode !== null) throw new Error(`${program} ended:\n${pieces.join('')}`);
        return listens(port);
      });
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async remove() {
      await leave('SIGKILL');
      process.off('exit', killIt);
      await rm(directory, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** Nobody listens there now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a socket without a port');
  return address.port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.on('connect', answer(true)).on('error', answer(false));
  });
}
