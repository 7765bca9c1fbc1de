import { exchange } from './exchange.ts';
import { isDocument } from './reply.ts';

/** Somebody who calls the API. */
export interface Caller {
  readonly token: string;
  readonly projectId: string;
}

/**
 * Whom cases call as: `admin`; `demo` and `alt`, members of two projects; `viewer`, a reader in demo's; `service`, where
 * the site has one.
 */
export interface Callers {
  readonly identity: 'keystone' | 'none';
  readonly admin: Caller;
  readonly demo: Caller;
  readonly alt: Caller;
  readonly viewer: Caller;
  readonly service: Caller | undefined;
}

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly project: string;
}

export type Accounts = Readonly<Record<Exclude<keyof Callers, 'identity'>, Account>>;

/** For a site with identity `none`, which takes a token of the form `user:project:role` at its word. */
export function callersByName(): Callers {
  const caller = (user: string, projectId: string, role: string): Caller => ({
    token: `${user}:${projectId}:${role}`,
    projectId,
  });
  return {
    identity: 'none',
    admin: caller('admin', 'admin', 'admin'),
    demo: caller('demo', 'demo', 'member'),
    alt: caller('alt', 'alt', 'member'),
    viewer: caller('viewer', 'demo', 'reader'),
    service: caller('glance', 'service', 'service'),
  };
}

/** Logs all accounts in. The service's is optional: without it the cases that need it are not offered. */
export async function callersFromKeystone(authUrl: string, accounts: Accounts): Promise<Callers> {
  const [admin, demo, alt, viewer, service] = await Promise.all([
    logIn(authUrl, accounts.admin),
    logIn(authUrl, accounts.demo),
    logIn(authUrl, accounts.alt),
    logIn(authUrl, accounts.viewer),
    logIn(authUrl, accounts.service).catch(() => undefined),
  ]);
  return { identity: 'keystone', admin, demo, alt, viewer, service };
}

async function logIn(authUrl: string, { user, password, project }: Account): Promise<Caller> {
  const domain = { name: 'Default' };
  const reply = await exchange(authUrl, 'POST', '/auth/tokens', {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: user, password, domain } } },
        scope: { project: { name: project, domain } },
      },
    }),
  });
  const token = reply.headers['x-subject-token'];
  if (reply.status !== 201 || typeof token !== 'string')
    throw new Error(`Keystone at ${authUrl} does not let ${user} into ${project}: ${reply.text}`);
  const told = reply.json().token;
  const scope = isDocument(told) ? told.project : undefined;
  if (!isDocument(scope)) throw new Error(`Keystone gave ${user} a token without a project`);
  return { token, projectId: String(scope.id) };
}
