import { createHash } from 'node:crypto';
import { type BoundedCache, boundedCache } from './cache.ts';
import { type TokenDocument, tokenFrom } from './documents.ts';
import { IdentityUnavailable } from './errors.ts';
import type { KeystoneSession } from './session.ts';

export interface CacheOptions {
  /** How long a validated token is believed without asking again: the longest that a revocation may go unnoticed. */
  readonly staleMs: number;
  /** How long a token that Keystone refused is refused without asking again. */
  readonly refusedMs: number;
  /** Tokens remembered, and as many refused ones. */
  readonly maxTokens: number;
}

/**
 * What Keystone says of a token, undefined when it is not valid. `expiredToo` accepts one past its end for as long as
 * Keystone does (its `allow_expired_window`). Rejects with `IdentityUnavailable`.
 */
export type Validate = (token: string, expiredToo?: boolean) => Promise<TokenDocument | undefined>;

/** Longer than any of Keystone's own kinds of token. */
const maxTokenLength = 8192;

/**
 * Asks Keystone once for as long as the answer may be believed, and once for all who ask meanwhile. Refused tokens are
 * remembered apart: a flood of made-up ones pushes no good one out. Tokens are kept as digests only.
 */
export function tokenValidation(
  session: KeystoneSession,
  { staleMs, refusedMs, maxTokens }: CacheOptions,
  now: () => number,
): Validate {
  const valid: BoundedCache<TokenDocument> = boundedCache(maxTokens, now);
  const refused: BoundedCache<true> = boundedCache(maxTokens, now);
  const underWay = new Map<string, Promise<TokenDocument | undefined>>();

  async function validated(
    key: string,
    token: string,
    expiredToo: boolean,
  ): Promise<TokenDocument | undefined> {
    // Counted from before Keystone decides, so that the bound holds however long its answer takes.
    const asked = now();
    const document = await shown(session, token, expiredToo);
    const expires = expiredToo ? Number.POSITIVE_INFINITY : (document?.expires_at ?? 0);
    if (document === undefined || now() >= expires) {
      refused.set(key, true, now() + refusedMs);
      return undefined;
    }
    valid.set(key, document, Math.min(asked + staleMs, expires));
    return document;
  }

  return async (token, expiredToo = false) => {
    // Visible ASCII: anything else is no token, and no header either.
    if (token.length > maxTokenLength || !/^[\x21-\x7e]+$/.test(token)) return undefined;
    // Apart for the two questions: an expired token must not pass later because it once did beside a service token.
    const key = `${expiredToo} ${createHash('sha256').update(token).digest('base64')}`;
    const known = valid.get(key);
    if (known !== undefined) return known;
    if (refused.get(key)) return undefined;
    const joined = underWay.get(key);
    if (joined !== undefined) return joined;
    const asking = validated(key, token, expiredToo).finally(() => underWay.delete(key));
    underWay.set(key, asking);
    return asking;
  };
}

/** Keystone answers 404 for a token that is wrong, expired or revoked. */
async function shown(
  session: KeystoneSession,
  token: string,
  expiredToo: boolean,
): Promise<TokenDocument | undefined> {
  try {
    const { status, text } = await session.get(
      `/auth/tokens?nocatalog${expiredToo ? '&allow_expired=1' : ''}`,
      // Without the second, Keystone refuses tokens that are limited to some calls, since not every service checks that.
      { 'X-Subject-Token': token, 'OpenStack-Identity-Access-Rules': '1.0' },
    );
    if (status === 404) return undefined;
    if (status === 200) return tokenFrom(text);
    if (status === 403)
      throw new Error('the service user may not validate tokens: give it the role service');
    throw new Error(`Keystone answered ${status} when asked to validate a token`);
  } catch (cause) {
    throw new IdentityUnavailable(cause);
  }
}
