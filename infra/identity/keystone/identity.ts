import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../../../domain/image/access.ts';
import { isKeepable } from '../caller-refused.ts';
import { allowed, type Wish } from './access-rules.ts';
import type { TokenDocument } from './documents.ts';
import { TokenRefused } from './errors.ts';
import type { KeystoneSession } from './session.ts';
import { type CacheOptions, tokenValidation } from './validation.ts';

/** A caller as Keystone knows it. */
export interface KeystoneCaller extends Caller {
  /** What the token speaks for. The Image API serves project scope only (reference, section 1.4). */
  readonly scope: 'project' | 'domain' | 'system' | 'unscoped';
  /** The domain of a domain-scoped token. */
  readonly domainId: string | null;
  /** `all` for a system-scoped token. */
  readonly systemScope: string | null;
  readonly userDomainId: string;
  readonly projectDomainId: string | null;
  /** Roles, lower case, of the service that asks on the caller's behalf; they count for `service` rules. */
  readonly serviceRoles: readonly string[];
}

export interface KeystoneIdentified {
  readonly caller: KeystoneCaller;
  readonly userName: string;
}

export interface KeystoneIdentityOptions extends CacheOptions {
  /** Where clients are told to get a token; usually Keystone's public URL. */
  readonly authenticateUri: string;
  /** A service token must have one of these, lower case; it then vouches for a user token that expired on the way. */
  readonly serviceTokenRoles: readonly string[];
}

/**
 * Believes what Keystone says of `X-Auth-Token`, and of `X-Service-Token` where a service asks for somebody. Rejects with
 * `TokenRefused` or `IdentityUnavailable`.
 */
export function identityKeystone(
  session: KeystoneSession,
  options: KeystoneIdentityOptions,
  now: () => number = Date.now,
) {
  const validate = tokenValidation(session, options, now);

  async function valid(token: string, expiredToo = false): Promise<TokenDocument> {
    const document = await validate(token, expiredToo);
    if (document === undefined) throw new TokenRefused(options.authenticateUri);
    return document;
  }

  async function rolesOfService(token: string): Promise<readonly string[]> {
    const roles = rolesOf(await valid(token));
    if (roles.some((role) => options.serviceTokenRoles.includes(role))) return roles;
    throw new TokenRefused(options.authenticateUri);
  }

  /** What is known of a caller is kept by it, so that one token is one caller while it is believed. */
  const identified = new WeakMap<TokenDocument, KeystoneIdentified>();
  const alone = (document: TokenDocument): KeystoneIdentified => {
    const known = identified.get(document) ?? {
      caller: callerFrom(document, []),
      userName: document.user.name,
    };
    identified.set(document, known);
    return known;
  };

  return {
    /** `wish` is needed for application credentials that are limited to some calls: without it they are refused. */
    async identify(headers: IncomingHttpHeaders, wish?: Wish): Promise<KeystoneIdentified> {
      const token = sent(headers, 'x-auth-token');
      const serviceToken = sent(headers, 'x-service-token');
      if (token === '') throw new TokenRefused(options.authenticateUri);
      const serviceRoles = serviceToken === '' ? [] : await rolesOfService(serviceToken);
      const document = await valid(token, serviceToken !== '');
      const kept = [document.user.id, document.project?.id ?? null, ...rolesOf(document)];
      if (!kept.every(isKeepable)) throw new TokenRefused(options.authenticateUri);
      const rules = document.application_credential?.access_rules;
      // A chain of services was let in at its first link; later links are other calls than the rules name.
      const limited = rules !== undefined && rules !== null && serviceToken === '';
      if (limited && !(wish !== undefined && allowed(rules, wish)))
        throw new TokenRefused(options.authenticateUri);
      return serviceToken === ''
        ? alone(document)
        : { caller: callerFrom(document, serviceRoles), userName: document.user.name };
    },
  };
}

function sent(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value.trim() : '';
}

const callerFrom = (token: TokenDocument, serviceRoles: readonly string[]): KeystoneCaller => ({
  userId: token.user.id,
  projectId: token.project?.id ?? null,
  roles: rolesOf(token),
  scope: scopeOf(token),
  domainId: token.domain?.id ?? null,
  systemScope: token.system === undefined ? null : 'all',
  userDomainId: token.user.domain.id,
  projectDomainId: token.project?.domain.id ?? null,
  serviceRoles,
});

const rolesOf = ({ roles }: TokenDocument): readonly string[] =>
  roles.map(({ name }) => name.toLowerCase());

function scopeOf({ project, domain, system }: TokenDocument): KeystoneCaller['scope'] {
  if (project !== undefined) return 'project';
  if (domain !== undefined) return 'domain';
  return system === undefined ? 'unscoped' : 'system';
}
