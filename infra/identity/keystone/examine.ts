import { type Endpoint, loginFrom, tokenFrom } from './documents.ts';
import { type HttpOptions, keptHttp } from './http.ts';
import { type KeystoneAccount, passwordLogin, versioned } from './session.ts';

/** What Keystone says to the service user who logs in. */
export interface KeystoneSeen {
  readonly url: string;
  /** Lower case. */
  readonly roles: readonly string[];
  /** Of the services of type `image` in the catalogue. */
  readonly imageEndpoints: readonly Endpoint[];
  /** How far Keystone's clock is ahead of ours; null where it does not tell the time. */
  readonly aheadMs: number | null;
}

/** Logs in, and has the token validated as a client's would be. Rejects with the reason when either fails. */
export async function examineKeystone(
  account: KeystoneAccount,
  http: HttpOptions,
  now: () => number,
): Promise<KeystoneSeen> {
  const { ask, close } = keptHttp(http);
  const url = versioned(account.authUrl);
  const tokens = new URL(`${url}/auth/tokens`);
  try {
    const login = await ask(tokens, { method: 'POST', headers: {}, body: passwordLogin(account) });
    const token = login.headers['x-subject-token'];
    if (login.status !== 201 || typeof token !== 'string')
      throw new Error(
        `${url} does not let the service user ${account.username} in: status ${login.status}`,
      );
    const { catalog } = loginFrom(login.text);
    const headers = { 'X-Auth-Token': token, 'X-Subject-Token': token };
    const valid = await ask(tokens, { headers });
    if (valid.status !== 200)
      throw new Error(`${url} does not validate the token that it gave: status ${valid.status}`);
    const told = Date.parse(login.headers.date ?? '');
    return {
      url,
      roles: tokenFrom(valid.text).roles.map(({ name }) => name.toLowerCase()),
      imageEndpoints: catalog.flatMap(({ type, endpoints }) => (type === 'image' ? endpoints : [])),
      aheadMs: Number.isNaN(told) ? null : told - now(),
    };
  } finally {
    close();
  }
}
