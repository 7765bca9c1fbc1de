/** Variables as the clients read them: `OS_AUTH_URL`, `OS_USERNAME` ... */
export type ClientEnvironment = Readonly<Record<string, string | undefined>>;

/** Who asks in a project. */
export interface User {
  readonly name: string;
  readonly password: string;
  readonly project: string;
}

export interface Token {
  readonly text: string;
  readonly projectId: string;
}

export const adminOf = (env: ClientEnvironment): User => ({
  name: env.OS_USERNAME ?? '',
  password: env.OS_PASSWORD ?? '',
  project: env.OS_PROJECT_NAME ?? '',
});

/** `user:password:project`. */
export function userFrom(text: string): User {
  const [name, password, project, ...rest] = text.split(':');
  if (name === undefined || password === undefined || project === undefined || rest.length > 0)
    throw new Error(`not of the form user:password:project: ${text}`);
  return { name, password, project };
}

/** Of the Keystone at `OS_AUTH_URL`; users and projects are of the domains that the environment names. */
export async function keystoneToken(env: ClientEnvironment, who: User): Promise<Token> {
  const user = {
    ...{ name: who.name, password: who.password },
    domain: { name: env.OS_USER_DOMAIN_NAME ?? 'Default' },
  };
  const project = {
    name: who.project,
    domain: { name: env.OS_PROJECT_DOMAIN_NAME ?? 'Default' },
  };
  const answer = await fetch(`${env.OS_AUTH_URL?.replace(/\/$/, '')}/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      auth: { identity: { methods: ['password'], password: { user } }, scope: { project } },
    }),
  });
  const text = answer.headers.get('x-subject-token');
  const body = await answer.text();
  if (text === null) throw new Error(`Keystone gives ${who.name} no token: ${body}`);
  return { text, projectId: JSON.parse(body).token.project.id };
}

/** With which Daguerre asks the same Keystone; none where the environment names none. */
export const keystoneFlags = (env: ClientEnvironment): string[] =>
  env.OS_AUTH_URL === undefined
    ? []
    : [
        ...['--identity', 'keystone', '--keystone-auth-url', env.OS_AUTH_URL],
        ...['--keystone-username', env.OS_USERNAME ?? ''],
        ...['--keystone-password', env.OS_PASSWORD ?? ''],
        ...['--keystone-project-name', env.OS_PROJECT_NAME ?? ''],
      ];
