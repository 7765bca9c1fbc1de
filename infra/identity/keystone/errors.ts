/** The caller did not prove who it is: a token is missing, not valid, or not valid for this request. */
export class TokenRefused extends Error {
  /** Value of the `WWW-Authenticate` header that tells the client where to get a token. */
  readonly challenge: string;

  constructor(authenticateUri: string) {
    super('The request you have made requires authentication.');
    this.name = 'TokenRefused';
    this.challenge = `Keystone uri="${authenticateUri}"`;
  }
}

/**
 * Nobody can say who the caller is just now. The message is for the client; the cause tells the operator why, and
 * holds no token and no password.
 */
export class IdentityUnavailable extends Error {
  constructor(cause: unknown) {
    super('The Keystone service is temporarily unavailable.', { cause });
    this.name = 'IdentityUnavailable';
  }
}
