import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../../domain/image/access.ts';
import type { Wish } from '../../infra/identity/keystone/access-rules.ts';

/** A caller with what is personal about it, which must not enter the log. */
export interface Identified {
  readonly caller: Caller;
  readonly userName: string;
}

/** Finds out who sends a request. */
export interface Identity {
  /**
   * `wish` is the call, for tokens that are limited to some. Rejects with `TokenRefused` when the token is missing, not
   * valid or not for this call, `CallerRefused` when its ids cannot be kept, `IdentityUnavailable` when nobody can
   * tell just now.
   */
  identify(headers: IncomingHttpHeaders, wish: Wish): Promise<Identified>;
}
