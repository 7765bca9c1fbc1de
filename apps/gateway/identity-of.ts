import { readFileSync } from 'node:fs';
import { type Config, ConfigError } from '../../infra/config/config.ts';
import type { HttpOptions } from '../../infra/identity/keystone/http.ts';
import { identityKeystone } from '../../infra/identity/keystone/identity.ts';
import { type KeystoneAccount, keystoneSession } from '../../infra/identity/keystone/session.ts';
import { identityNone } from '../../infra/identity/none/identity.ts';
import type { Identity } from './identity.ts';

const keystoneConnections = 32;
const rememberedTokens = 10_000;
const refusedMs = 5_000;

/** The identity that the operator chose, and what ends it. */
export function identityOf(config: Config): { readonly identity: Identity; close(): void } {
  if (config.identity === 'none')
    return { identity: identityNone(config['default-caller']), close: () => {} };
  const { account, http } = keystoneAccountOf(config);
  const session = keystoneSession(
    account,
    { ...http, maxConnections: keystoneConnections },
    Date.now,
  );
  const identity = identityKeystone(session, {
    staleMs: config['keystone-token-cache-seconds'] * 1000,
    refusedMs,
    maxTokens: rememberedTokens,
    authenticateUri: config['keystone-www-authenticate-uri'] ?? account.authUrl,
    serviceTokenRoles: config['keystone-service-token-roles'],
  });
  return { identity, close: session.close };
}

/** Who this service is at Keystone, and how Keystone is reached. */
export function keystoneAccountOf(config: Config): {
  readonly account: KeystoneAccount;
  readonly http: Pick<HttpOptions, 'timeoutMs' | 'authorities'>;
} {
  const cafile = config['keystone-cafile'];
  return {
    account: {
      authUrl: config['keystone-auth-url'] ?? '',
      username: config['keystone-username'] ?? '',
      password: config['keystone-password'] ?? '',
      projectName: config['keystone-project-name'],
      userDomainName: config['keystone-user-domain-name'],
      projectDomainName: config['keystone-project-domain-name'],
      interface: config['keystone-interface'],
      region: config.region,
    },
    http: {
      timeoutMs: config['keystone-timeout-ms'],
      ...(cafile === undefined ? {} : { authorities: authoritiesIn(cafile) }),
    },
  };
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
