import type { Config } from '../../infra/config/config.ts';
import { keystoneSession } from '../../infra/identity/keystone/session.ts';
import type { ImportTokens } from '../../infra/import-tokens/tokens.ts';
import { keystoneAccountOf } from './identity-of.ts';
import type { Regions } from './imports.ts';
import { keystoneRegions } from './regions.ts';
import { enabledMethods } from './wire/import-method.ts';

const connections = 4;

/** Import methods that the operator chose, of those that can work here: other image services are found by Keystone. */
export const offeredMethods = (config: Config): readonly string[] =>
  enabledMethods(config['import-methods']).filter(
    (name) => name !== 'glance-download' || config.identity === 'keystone',
  );

/** For imports from other image services; null where there are none. */
export function sessionElsewhere(config: Config) {
  if (!offeredMethods(config).includes('glance-download')) return null;
  const { account, http } = keystoneAccountOf(config);
  return keystoneSession(account, { ...http, maxConnections: connections }, Date.now);
}

/** Other image services as gateways find them, and what ends that. */
export function regionsOf(
  config: Config,
  tokens: ImportTokens,
): { readonly regions?: Regions; close(): void } {
  const session = sessionElsewhere(config);
  return session === null
    ? { close() {} }
    : { regions: keystoneRegions(session, tokens), close: session.close };
}
