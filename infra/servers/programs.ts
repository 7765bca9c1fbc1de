import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServerProgram } from './own-server.ts';

/** JetStream on disk. What it had not flushed when the power went is published again from the log. */
export const natsProgram: ServerProgram = {
  kind: 'nats',
  debianPackage: { name: 'nats-server', provides: 'nats-server' },
  async configure(directory, { port, secret }) {
    const sync = (await knowsSyncInterval()) ? ', sync_interval: "10s"' : '';
    const text = `listen: "127.0.0.1:${port}"
authorization { token: ${JSON.stringify(secret)} }
jetstream { store_dir: ${JSON.stringify(join(directory, 'jetstream'))}${sync} }
`;
    return ['-c', await configured(directory, 'nats.conf', text)];
  },
  urlOf: ({ port, secret }) => `nats://${secret}@127.0.0.1:${port}`,
};

/** Each command in its log, flushed once a second; never a job thrown away for want of memory, as BullMQ asks for. */
export const redisProgram: ServerProgram = {
  kind: 'redis',
  debianPackage: { name: 'redis-server', provides: 'redis-server' },
  async configure(directory, { port, secret }) {
    const text = `bind 127.0.0.1
port ${port}
requirepass ${secret}
dir ${JSON.stringify(directory)}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
`;
    return [await configured(directory, 'redis.conf', text)];
  },
  urlOf: ({ port, secret }) => `redis://:${secret}@127.0.0.1:${port}`,
};

/** For our eyes only: it holds the secret, which a command line would show to everybody. */
async function configured(directory: string, name: string, text: string): Promise<string> {
  const file = join(directory, name);
  await writeFile(file, text, { mode: 0o600 });
  return file;
}

/** NATS has it since 2.10, and an older one refuses what it does not know. */
async function knowsSyncInterval(): Promise<boolean> {
  const { stdout } = await promisify(execFile)('nats-server', ['--version']);
  const [, major = 0, minor = 0] = /v(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 10);
}
