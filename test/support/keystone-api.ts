import assert from 'node:assert/strict';
import { password } from './keystone-seed.ts';

type Document = Record<string, unknown>;

/** For what a token is asked; a project's name says that project. */
export type Scope =
  | string
  | { readonly domain: string }
  | { readonly system: true }
  | { readonly unscoped: true };

/** Where a role is given. */
export type Place =
  | { readonly project: string }
  | { readonly domain: string }
  | { readonly system: true };

type Kind = 'role' | 'project' | 'user' | 'service';

/** Keystone's own API, as its administrator. */
export interface KeystoneApi {
  /** Gives the parsed body, or an empty object. Rejects on any status of 400 and above. */
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Document>;
  /** A new token for an `auth` document of the Identity API. */
  login(auth: unknown): Promise<string>;
  /** A new token of a user with the usual password. */
  token(user: string, scope: Scope): Promise<string>;
  create(kind: Kind, document: Document & { readonly name: string }): Promise<string>;
  idOf(kind: Kind, name: string): Promise<string>;
  grant(role: string, user: string, place: Place): Promise<void>;
  ungrant(role: string, user: string, place: Place): Promise<void>;
}

export function keystoneApi(authUrl: string): KeystoneApi {
  let administrator: Promise<string> | undefined;
  const ids = new Map<string, string>();

  async function send(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Response> {
    const answer = await fetch(`${authUrl}${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status >= 400)
      throw new Error(`Keystone: ${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }

  const login: KeystoneApi['login'] = async (auth) => {
    const answer = await send('POST', '/auth/tokens', { auth }, {});
    await answer.arrayBuffer();
    const issued = answer.headers.get('X-Subject-Token');
    assert(issued);
    return issued;
  };

  const token: KeystoneApi['token'] = (user, scope) =>
    login({
      identity: {
        methods: ['password'],
        password: { user: { name: user, domain: { id: 'default' }, password } },
      },
      scope: scoped(scope),
    });

  const call: KeystoneApi['call'] = async (method, path, body, headers = {}) => {
    administrator ??= token('admin', 'admin');
    const answer = await send(method, path, body, {
      'X-Auth-Token': await administrator,
      ...headers,
    });
    const text = await answer.text();
    return text === '' ? {} : JSON.parse(text);
  };

  const idOf: KeystoneApi['idOf'] = async (kind, name) => {
    const known = ids.get(`${kind} ${name}`);
    if (known !== undefined) return known;
    const listed = await call('GET', `/${kind}s?name=${encodeURIComponent(name)}`);
    const [first] = listed[`${kind}s`] as readonly { id: string }[];
    if (first === undefined) throw new Error(`Keystone has no ${kind} ${name}`);
    ids.set(`${kind} ${name}`, first.id);
    return first.id;
  };

  async function assignment(role: string, user: string, place: Place): Promise<string> {
    const tail = `users/${await idOf('user', user)}/roles/${await idOf('role', role)}`;
    if ('system' in place) return `/system/${tail}`;
    if ('domain' in place) return `/domains/${place.domain}/${tail}`;
    return `/projects/${await idOf('project', place.project)}/${tail}`;
  }

  return {
    call,
    login,
    token,
    idOf,
    async create(kind, document) {
      const made = await call('POST', `/${kind}s`, { [kind]: document });
      const { id } = made[kind] as { id: string };
      ids.set(`${kind} ${document.name}`, id);
      return id;
    },
    async grant(role, user, place) {
      await call('PUT', await assignment(role, user, place));
    },
    async ungrant(role, user, place) {
      await call('DELETE', await assignment(role, user, place));
    },
  };
}

function scoped(scope: Scope): unknown {
  if (typeof scope === 'string') return { project: { name: scope, domain: { id: 'default' } } };
  if ('domain' in scope) return { domain: { id: scope.domain } };
  return 'system' in scope ? { system: { all: true } } : 'unscoped';
}
