import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, clientsWith } from '../support/clients.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type Keystone, startKeystone } from '../support/keystone.ts';
import { preparedClient } from '../support/prepared-clients.ts';

/** Daguerre beside a real Keystone, and whoever asks it. */
export interface Site {
  readonly keystone: Keystone;
  readonly daguerre: Daguerre;
  /** For files of the test; gone after `stop`. */
  readonly directory: string;
  /** The clients of a user in a project, which is the one of the same name unless it is told. */
  as(user: string, project?: string): { readonly glance: Client; readonly openstack: Client };
  projectId(name: string): Promise<string>;
  stop(): Promise<void>;
}

/** `settings` besides those for the Keystone, as environment variables; `file` is a configuration file's text. */
export async function startSite(
  settings: Readonly<Record<string, string>> = {},
  file = '',
): Promise<Site> {
  const [directory, keystone] = await Promise.all([
    mkdtemp(join(tmpdir(), 'site-')),
    startKeystone(),
  ]);
  const config = join(directory, 'daguerre.yaml');
  await writeFile(config, file);
  const daguerre = await startDaguerre({
    args: file === '' ? [] : ['--config', config],
    env: { ...identityOf(keystone), ...settings },
  }).catch(async (error) => {
    await keystone.stop();
    throw error;
  });
  await keystone.setImageUrl(daguerre.url);
  // Kept, since each has a home directory, in which clients keep what takes them long to find out.
  const clients = new Map<string, ReturnType<Site['as']>>();
  return {
    keystone,
    daguerre,
    directory,
    as(user, project = user) {
      const environment = keystone.environment(user, project);
      const key = `${user} of ${project}`;
      const known = clients.get(key) ?? clientsWith(environment, environment, preparedClient);
      clients.set(key, known);
      return known;
    },
    projectId: (name) => keystone.api.idOf('project', name),
    async stop() {
      await daguerre.stop();
      await keystone.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The settings that say which Keystone to believe. */
export const identityOf = ({ account }: Keystone): Readonly<Record<string, string>> => ({
  DAGUERRE_IDENTITY: 'keystone',
  DAGUERRE_KEYSTONE_AUTH_URL: account.authUrl,
  DAGUERRE_KEYSTONE_USERNAME: account.username,
  DAGUERRE_KEYSTONE_PASSWORD: account.password,
  DAGUERRE_KEYSTONE_PROJECT_NAME: account.projectName,
});
