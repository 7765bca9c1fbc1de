import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../../domain/image/access.ts';

/** A caller with what is personal about it, which must not enter the log. */
export interface Identified {
  readonly caller: Caller;
  readonly userName: string;
}

/** Finds out who sends a request. */
export interface Identity {
  /** Rejects with `HttpError` 401 when the token is missing or not valid. */
  identify(headers: IncomingHttpHeaders): Promise<Identified>;
}
