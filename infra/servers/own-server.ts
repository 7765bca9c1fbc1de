import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { makeDirectories } from '../files/files.ts';
import type { Log } from '../postgres/log.ts';
import { type OwnAddress, ownAddress } from './address.ts';
import type { DebianPackage } from './debian-packages.ts';
import { stopServersIn } from './orphans.ts';

/** A server that Daguerre can run for itself, from what the system has installed. */
export interface ServerProgram {
  /** Name of its directory in the data directory, and how the names of its programs begin. */
  readonly kind: string;
  readonly debianPackage: DebianPackage;
  /** Writes its configuration into `directory`, where it is started; gives the arguments. */
  configure(directory: string, address: OwnAddress): Promise<readonly string[]>;
  /** How clients name it, secret and all. */
  urlOf(address: OwnAddress): string;
}

export interface OwnServer {
  readonly url: string;
  readonly pid: number;
  /** Resolves when it has ended, for whatever reason; starting it again is the caller's part. */
  readonly exited: Promise<Ending>;
  /** Harder when it does not end within 10 s. */
  stop(): Promise<void>;
}

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
}

const maxLogBytes = 16 * 1024 * 1024;
const stopWithinMs = 10_000;

/**
 * Finds the server's address, which stays for as long as this process lives, and gives what starts it there, any number
 * of times. Layout: `{dataDir}/{kind}/` with address.json, its configuration and its data; `{dataDir}/{kind}.log`.
 * It ends with this process, even where that is killed. Only for the owner of the data directory.
 */
export async function ownServer(
  program: ServerProgram,
  { dataDir, log }: { readonly dataDir: string; readonly log: Log },
): Promise<(signal: AbortSignal) => Promise<OwnServer>> {
  const directory = join(dataDir, program.kind);
  await makeDirectories(directory, 0o700);
  await stopServersIn(directory, program.kind);
  const address = await ownAddress(directory);
  return async (signal) => {
    const args = await program.configure(directory, address);
    const logFile = join(dataDir, `${program.kind}.log`);
    const child = await spawned(program.debianPackage.provides, args, directory, logFile);
    const exited = once(child, 'exit').then(([code, killer]) => ({ code, signal: killer }));
    try {
      await listens(child, address.port, signal, () => lastLines(logFile));
    } catch (error) {
      await end(child, exited);
      throw error;
    }
    log.info({ pid: child.pid, port: address.port, directory }, `${program.kind} is ready`);
    return {
      url: program.urlOf(address),
      pid: child.pid ?? -1,
      exited,
      stop: () => end(child, exited),
    };
  };
}

async function spawned(
  program: string,
  args: readonly string[],
  directory: string,
  logFile: string,
): Promise<ChildProcess> {
  if ((await stat(logFile).catch(() => ({ size: 0 }))).size > maxLogBytes)
    await rename(logFile, `${logFile}.1`);
  const output = await open(logFile, 'a', 0o600);
  try {
    // A parent that is killed takes it along. A Ctrl-C on the terminal is for the parent, which stops it late.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', program, ...args], {
      cwd: directory,
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await once(child, 'spawn');
    return child;
  } finally {
    await output.close();
  }
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

async function listens(
  child: ChildProcess,
  port: number,
  signal: AbortSignal,
  said: () => Promise<string>,
): Promise<void> {
  while (!(await takesConnection(port))) {
    signal.throwIfAborted();
    if (hasEnded(child))
      throw new Error(`${child.spawnargs[4]} ended while starting:\n${await said()}`);
    await delay(15);
  }
}

function takesConnection(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.on('connect', answer(true)).on('error', answer(false));
  });
}

async function lastLines(logFile: string): Promise<string> {
  return (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-8).join('\n');
}

async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  const harder = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
  await exited;
  clearTimeout(harder);
}
