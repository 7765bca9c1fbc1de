import { readFileSync } from 'node:fs';
import { type Config, ConfigError } from '../../infra/config/config.ts';
import { identityKeystone } from '../../infra/identity/keystone/identity.ts';
import { keystoneSession } from '../../infra/identity/keystone/session.ts';
import { identityNone } from '../../infra/identity/none/identity.ts';
import type { Identity } from './identity.ts';

const keystoneConnections = 32;
const rememberedTokens = 10_000;
const refusedMs = 5_000;

/** The identity that the operator chose, and what ends it. */
export function identityOf(config: Config): { readonly identity: Identity; close(): void } {
  if (config.identity === 'none')
    return { identity: identityNone(config['default-caller']), close: () => {} };
  const authUrl = config['keystone-auth-url'] ?? '';
  const cafile = config['keystone-cafile'];
  const session = keystoneSession(
    {
      authUrl,
      username: config['keystone-username'] ?? '',
      password: config['keystone-password'] ?? '',
      projectName: config['keystone-project-name'],
      userDomainName: config['keystone-user-domain-name'],
      projectDomainName: config['keystone-project-domain-name'],
      interface: config['keystone-interface'],
      region: config.region,
    },
    {
      timeoutMs: config['keystone-timeout-ms'],
      maxConnections: keystoneConnections,
      ...(cafile === undefined ? {} : { authorities: authoritiesIn(cafile) }),
    },
    Date.now,
  );
  const identity = identityKeystone(session, {
    staleMs: config['keystone-token-cache-seconds'] * 1000,
    refusedMs,
    maxTokens: rememberedTokens,
    authenticateUri: config['keystone-www-authenticate-uri'] ?? authUrl,
    serviceTokenRoles: config['keystone-service-token-roles'],
  });
  return { identity, close: session.close };
}

function authoritiesIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([
      `--keystone-cafile ${file}: cannot be read: ${(error as Error).message}`,
    ]);
  }
}
