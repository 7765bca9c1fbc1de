import { type Endpoint, type LoginDocument, loginFrom } from './documents.ts';
import { type Answered, type HttpOptions, keptHttp } from './http.ts';

/** Who the service itself is at Keystone; the names are those of `[keystone_authtoken]`. */
export interface KeystoneAccount {
  /** With or without `/v3` at its end. */
  readonly authUrl: string;
  readonly username: string;
  readonly password: string;
  readonly projectName: string;
  readonly userDomainName: string;
  readonly projectDomainName: string;
  /** Which of the identity endpoints in the catalog to use after logging in; without it, `authUrl` itself. */
  readonly interface?: 'public' | 'internal' | 'admin' | undefined;
  /** Region of that endpoint. */
  readonly region?: string | undefined;
  /** Log in to the whole system, in which the user needs a role, instead of the project. */
  readonly wholeSystem?: boolean;
}

/** The Identity API as the service user may use it. */
export interface KeystoneSession {
  /**
   * `path` begins below `/v3`: `/auth/tokens`. Resolves with any answer but 401 to the service user's own token, which
   * is renewed. Rejects when Keystone cannot be reached or does not let the service user in.
   */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answered>;
  close(): void;
}

/** Speaks for the service user elsewhere. */
export interface KeystoneLogin {
  /** A token that is good for a while yet. Rejects as `get` does. */
  token(): Promise<string>;
}

interface Login {
  readonly token: string;
  readonly renewAt: number;
  /** Ends with `/v3`. */
  readonly endpoint: string;
}

/** A token is renewed this long before it expires, or when a tenth of a short life is left. */
const renewAheadMs = 60_000;
/** Keystone can be told to lock accounts after some wrong passwords: after a refusal, wait. */
const refusedPauseMs = 5_000;

/**
 * Logs in when first asked, and again when its token ends or is no longer accepted; one login at a time, however many
 * wait for it. A Keystone that is away is asked again by every request, so its return needs no restart here.
 */
export function keystoneSession(
  account: KeystoneAccount,
  http: HttpOptions,
  now: () => number,
): KeystoneSession & KeystoneLogin {
  const { ask, close } = keptHttp(http);
  const authUrl = versioned(account.authUrl);
  let login: Login | undefined;
  let pending: Promise<Login> | undefined;
  let refused: { readonly error: Error; readonly until: number } | undefined;

  async function logIn(): Promise<Login> {
    if (refused !== undefined && now() < refused.until) throw refused.error;
    const began = now();
    const body = passwordLogin(account);
    const answer = await ask(new URL(`${authUrl}/auth/tokens`), {
      method: 'POST',
      headers: {},
      body,
    });
    const token = answer.headers['x-subject-token'];
    if (answer.status === 201 && typeof token === 'string') {
      const document = loginFrom(answer.text);
      // By its length, not by its end: the clocks may differ.
      const lifeMs = document.expires_at - document.issued_at;
      const renewAt = began + lifeMs - Math.min(renewAheadMs, lifeMs / 10);
      return { token, renewAt, endpoint: identityEndpoint(document, account) ?? authUrl };
    }
    const error = new Error(
      `Keystone at ${authUrl} did not let the service user ${account.username} in${account.wholeSystem ? ' to the whole system, in which it needs a role' : ''}: status ${answer.status}`,
    );
    if (answer.status >= 400 && answer.status < 500)
      refused = { error, until: now() + refusedPauseMs };
    throw error;
  }

  async function current(): Promise<Login> {
    if (login !== undefined && now() < login.renewAt) return login;
    pending ??= logIn().finally(() => {
      pending = undefined;
    });
    login = await pending;
    return login;
  }

  return {
    async get(path, headers = {}) {
      const send = async (): Promise<{ used: Login; answer: Answered }> => {
        const used = await current();
        const url = new URL(`${used.endpoint}${path}`);
        return {
          used,
          answer: await ask(url, { headers: { ...headers, 'X-Auth-Token': used.token } }),
        };
      };
      const first = await send();
      if (first.answer.status !== 401) return first.answer;
      if (login === first.used) login = undefined; // else another request has renewed it meanwhile
      const second = await send();
      if (second.answer.status !== 401) return second.answer;
      throw new Error(
        `Keystone at ${second.used.endpoint} refuses the token it gave to the service user`,
      );
    },
    token: async () => (await current()).token,
    close,
  };
}

export const passwordLogin = (account: KeystoneAccount) => ({
  auth: {
    identity: {
      methods: ['password'],
      password: {
        user: {
          name: account.username,
          domain: { name: account.userDomainName },
          password: account.password,
        },
      },
    },
    scope: account.wholeSystem
      ? { system: { all: true } }
      : { project: { name: account.projectName, domain: { name: account.projectDomainName } } },
  },
});

function identityEndpoint(login: LoginDocument, account: KeystoneAccount): string | undefined {
  if (account.interface === undefined) return undefined;
  const inRegion = ({ region, region_id }: Endpoint): boolean =>
    account.region === undefined || account.region === region_id || account.region === region;
  const found = login.catalog
    .filter(({ type }) => type === 'identity')
    .flatMap(({ endpoints }) => endpoints)
    .find((endpoint) => endpoint.interface === account.interface && inRegion(endpoint));
  return found && versioned(found.url);
}

/** With `/v3` at its end. */
export function versioned(url: string): string {
  const bare = url.replace(/\/+$/, '');
  return bare.endsWith('/v3') ? bare : `${bare}/v3`;
}
