import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { DebianPackage } from '../../infra/servers/debian-packages.ts';
import { type KeystoneApi, keystoneApi, type Scope } from './keystone-api.ts';
import { keystoneProgram } from './keystone-program.ts';
import { password, region, seedKeystone } from './keystone-seed.ts';
import { ensurePackages } from './packages.ts';

/** Needs no more than the library package: no service, no questions, no database server. */
export const keystonePackage: DebianPackage = {
  name: 'python3-keystone',
  provides: '/usr/bin/keystone-manage',
};

const run = promisify(execFile);

/** Debian's packages are for Debian's own interpreter. */
const python = '/usr/bin/python3';

export interface KeystoneOptions {
  /** Where the catalog says that the image service is. */
  readonly imageUrl?: string;
  /** How long tokens live; default an hour. */
  readonly tokenSeconds?: number;
}

/** A real Keystone. Every user of `keystone-seed.ts` is there. */
export interface Keystone {
  /** Ends with `/v3`; stays the same over `kill` and `restart`. */
  readonly authUrl: string;
  readonly api: KeystoneApi;
  /** The account made for the service under test, in the terms of its settings. */
  readonly account: {
    readonly authUrl: string;
    readonly username: string;
    readonly password: string;
    readonly projectName: string;
    readonly userDomainName: string;
    readonly projectDomainName: string;
    readonly region: string;
  };
  /** A new token; the user's project has the user's name unless another scope is given. */
  token(user: string, scope?: Scope): Promise<string>;
  revoke(token: string): Promise<void>;
  setImageUrl(url: string): Promise<void>;
  /** What a stock client needs in its environment to be this user. */
  environment(user: string, project?: string): Readonly<Record<string, string>>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again after `kill`, where it was; tokens issued from then on may have another life. */
  restart(options?: Pick<KeystoneOptions, 'tokenSeconds'>): Promise<void>;
  /** It answers nothing until `resume`; connections can be made. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/**
 * Starts a Keystone of its own with SQLite, on a free port; its package is installed where it may be. The first ever in
 * a work tree takes some seconds more.
 */
export async function startKeystone(options: KeystoneOptions = {}): Promise<Keystone> {
  ensurePackages([keystonePackage], (line) => void process.stderr.write(`${line}\n`));
  const template = await seededTemplate();
  const directory = await mkdtemp(join(tmpdir(), 'keystone-'));
  await cp(template, directory, { recursive: true });
  const keystone = await startIn(directory, options.tokenSeconds ?? 3600);
  if (options.imageUrl !== undefined) await keystone.setImageUrl(options.imageUrl);
  return keystone;
}

/**
 * Made once per release of Keystone and kept with the installed packages, since it takes longer than a test. Two that
 * make it at once do no harm: the first counts.
 */
async function seededTemplate(): Promise<string> {
  const { stdout: release } = await run('dpkg-query', ['-W', keystonePackage.name]);
  const seed = await readFile(new URL('./keystone-seed.js', import.meta.url));
  const kind = createHash('sha256').update(release).update(seed).digest('hex').slice(0, 16);
  const caches = join(packageRoot(), 'node_modules', '.cache', 'daguerre');
  const template = join(caches, `keystone-${kind}`);
  if (existsSync(template)) return template;
  await mkdir(caches, { recursive: true });
  const making = await mkdtemp(join(caches, 'making-'));
  try {
    await makeTemplate(making);
    await rename(making, template);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    if (!existsSync(template)) throw error;
  }
  return template;
}

async function makeTemplate(making: string): Promise<void> {
  for (const keys of ['fernet-keys', 'credential-keys']) {
    await mkdir(join(making, keys), { mode: 0o700 });
    // As `keystone-manage fernet_setup` leaves them: one to sign with, one for the next rotation.
    for (const index of ['0', '1'])
      await writeFile(join(making, keys, index), fernetKey(), { mode: 0o600 });
  }
  const config = await writeConfig(making, 3600);
  await manage(config, 'db_sync');
  const anywhere = 'http://127.0.0.1/v3';
  await manage(
    config,
    ...['bootstrap', '--bootstrap-password', password, '--bootstrap-region-id', region],
    ...['public', 'internal', 'admin'].flatMap((side) => [`--bootstrap-${side}-url`, anywhere]),
  );
  const keystone = await startIn(making, 3600);
  try {
    await seedKeystone(keystone.api);
  } finally {
    await keystone.kill();
  }
}

const fernetKey = (): string => randomBytes(32).toString('base64url').padEnd(44, '=');

/** The nearest directory above that has the installed packages: compiled tests lie at several depths. */
function packageRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, 'node_modules'))) directory = dirname(directory);
  return directory;
}

async function manage(config: string, ...args: readonly string[]): Promise<void> {
  await run(python, ['/usr/bin/keystone-manage', '--config-file', config, ...args]);
}

async function writeConfig(directory: string, tokenSeconds: number): Promise<string> {
  const file = join(directory, 'keystone.conf');
  await writeFile(
    file,
    `[DEFAULT]
log_file = ${join(directory, 'keystone.log')}
[database]
connection = sqlite:///${databaseIn(directory)}
sqlite_synchronous = false
[cache]
enabled = true
backend = dogpile.cache.memory
[token]
provider = fernet
expiration = ${tokenSeconds}
[fernet_tokens]
key_repository = ${join(directory, 'fernet-keys')}
[fernet_receipts]
key_repository = ${join(directory, 'fernet-keys')}
[credential]
key_repository = ${join(directory, 'credential-keys')}
[identity]
password_hash_rounds = 4
`,
  );
  return file;
}

const databaseIn = (directory: string): string => join(directory, 'keystone.db');

async function startIn(directory: string, tokenSeconds: number): Promise<Keystone> {
  const config = await writeConfig(directory, tokenSeconds);
  let running = await serve(directory, config, 0);
  const { port } = running;
  const root = `http://127.0.0.1:${port}`;
  const authUrl = `${root}/v3`;
  const api = keystoneApi(authUrl);

  const kill = async (): Promise<void> => {
    const { child } = running;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  return {
    authUrl,
    api,
    account: {
      authUrl: root,
      username: 'daguerre',
      password,
      projectName: 'service',
      userDomainName: 'Default',
      projectDomainName: 'Default',
      region,
    },
    token: (user, scope = user) => api.token(user, scope),
    async revoke(token) {
      await api.call('DELETE', '/auth/tokens', undefined, { 'X-Subject-Token': token });
    },
    async setImageUrl(url) {
      const service = await api.idOf('service', 'glance');
      const listed = await api.call('GET', `/endpoints?service_id=${service}`);
      for (const { id } of listed.endpoints as readonly { id: string }[])
        await api.call('PATCH', `/endpoints/${id}`, { endpoint: { url } });
    },
    environment: (user, project = user) => ({
      OS_AUTH_URL: authUrl,
      OS_IDENTITY_API_VERSION: '3',
      OS_USERNAME: user,
      OS_PASSWORD: password,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: region,
    }),
    kill,
    async restart(options = {}) {
      await writeConfig(directory, options.tokenSeconds ?? tokenSeconds);
      running = await serve(directory, config, port);
    },
    pause: () => void running.child.kill('SIGSTOP'),
    resume: () => void running.child.kill('SIGCONT'),
    async stop() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function serve(
  directory: string,
  config: string,
  port: number,
): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(python, ['-c', keystoneProgram, String(port), databaseIn(directory)], {
    cwd: directory,
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', OS_KEYSTONE_CONFIG_FILES: config },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (chunk) => {
    complaints = `${complaints}${chunk}`.slice(-8_000);
  });
  const [line] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(() => []),
  ]);
  if (line !== undefined) return { child, port: Number(line) };
  const log = await readFile(join(directory, 'keystone.log'), 'utf8').catch(() => '');
  throw new Error(`Keystone did not start:\n${complaints}\n${log.slice(-8_000)}`);
}
