import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Environment } from '../../../infra/config/config.ts';
import { readRunning } from '../../standalone/running-file.ts';
import { UsageError } from '../command.ts';
import { reach } from './reach.ts';

/** An image service, and what is asked of it in somebody's name. */
export interface Cloud {
  /** Without a slash at its end. */
  readonly url: string;
  /** Null where none is needed. Anew when the last one was not accepted. */
  token(isRefused?: boolean): Promise<string | null>;
}

export interface CloudFlags {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly osCloud?: string | undefined;
  /** Where a service that runs here says where it is. */
  readonly dataDir: string;
}

/** Settings by the names of clouds.yaml, `auth_url` and so on. */
type Settings = Readonly<Record<string, string | undefined>>;

/** As `openstack` finds its cloud: flags, clouds.yaml, `OS_…`; and else the service that runs on this machine. */
export function cloudFrom(flags: CloudFlags, environment: Environment): Cloud {
  const name = flags.osCloud ?? environment.OS_CLOUD;
  const settings =
    name === undefined ? fromEnvironment(environment) : fromCloudsYaml(name, environment);
  const url = flags.url ?? settings.endpoint;
  const token = flags.token ?? settings.token;
  if (url !== undefined && (token !== undefined || settings.auth_url === undefined))
    return { url: plain(url), token: async () => token ?? null };
  if (settings.auth_url !== undefined) return keystoneCloud(settings, url);
  const running = readRunning(flags.dataDir);
  if (running?.url != null) return { url: running.url, token: async () => token ?? null };
  throw new UsageError(
    `no image service runs on ${flags.dataDir}: say which with --url, --os-cloud or OS_AUTH_URL`,
  );
}

const plain = (url: string): string => url.replace(/\/+(v2\/?)?$/, '');

const authNames = [
  'auth_url',
  'username',
  'user_id',
  'password',
  'project_name',
  'project_id',
  'user_domain_name',
  'user_domain_id',
  'project_domain_name',
  'project_domain_id',
  'application_credential_id',
  'application_credential_secret',
  'token',
];

function fromEnvironment(environment: Environment): Settings {
  const of = (name: string) => environment[`OS_${name.toUpperCase()}`] || undefined;
  const isNone = of('auth_type') === 'none';
  return {
    ...Object.fromEntries(authNames.map((name) => [name, isNone ? undefined : of(name)])),
    token: of('token') ?? of('auth_token'),
    region_name: of('region_name'),
    interface: of('interface'),
    endpoint: of('image_endpoint_override') ?? of('endpoint') ?? of('image_url'),
  };
}

function fromCloudsYaml(name: string, environment: Environment): Settings {
  const { OS_CLIENT_CONFIG_FILE: ownPlace } = environment;
  const places = [
    ...(ownPlace ? [ownPlace] : []),
    'clouds.yaml',
    join(homedir(), '.config/openstack/clouds.yaml'),
    '/etc/openstack/clouds.yaml',
  ];
  for (const place of places) {
    const clouds = cloudsIn(place);
    const cloud = clouds?.[name];
    if (cloud === undefined) continue;
    const { auth = {}, ...rest } = cloud as { auth?: object };
    const { image_endpoint_override: endpoint, region_name, interface: face } = rest as Settings;
    return { ...(auth as Settings), region_name, interface: face, endpoint };
  }
  throw new UsageError(`there is no cloud ${name} in ${places.join(', ')}`);
}

function cloudsIn(path: string): Readonly<Record<string, object>> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  return (parse(text) as { clouds?: Readonly<Record<string, object>> } | null)?.clouds;
}

interface Login {
  readonly token: string;
  readonly url: string;
}

function keystoneCloud(settings: Settings, given: string | undefined): Cloud {
  let login: Promise<Login> | undefined;
  const logIn = (): Promise<Login> => {
    login ??= loggedIn(settings, given);
    return login;
  };
  let url = given === undefined ? '' : plain(given);
  return {
    get url() {
      return url;
    },
    async token(isRefused = false) {
      if (isRefused) login = undefined;
      const found = await logIn();
      url = found.url;
      return found.token;
    },
  };
}

interface Catalog {
  readonly token: {
    readonly catalog?: readonly {
      readonly type: string;
      readonly endpoints: readonly {
        readonly interface: string;
        readonly region: string | null;
        readonly url: string;
      }[];
    }[];
  };
}

async function loggedIn(settings: Settings, given: string | undefined): Promise<Login> {
  const base = (settings.auth_url ?? '').replace(/\/+(v3\/?)?$/, '');
  const response = await reach(`${base}/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ auth: authOf(settings) }),
    signal: AbortSignal.timeout(60_000),
  });
  const token = response.headers.get('X-Subject-Token');
  if (!response.ok || token === null)
    throw new Error(
      `Keystone at ${base} does not log in ${whoIn(settings)}: ${response.status}; check name, password, project and domains`,
    );
  if (given !== undefined) return { token, url: plain(given) };
  const { catalog = [] } = ((await response.json()) as Catalog).token;
  const { interface: face = 'public', region_name: region } = settings;
  const endpoint = catalog
    .filter(({ type }) => type === 'image')
    .flatMap(({ endpoints }) => endpoints)
    .find((one) => one.interface === face && (region === undefined || one.region === region));
  if (endpoint === undefined)
    throw new Error(
      `the catalogue of ${base} has no ${face} endpoint of type image${region === undefined ? '' : ` in region ${region}`}`,
    );
  return { token, url: plain(endpoint.url) };
}

const whoIn = (settings: Settings): string =>
  settings.application_credential_id ?? settings.username ?? settings.user_id ?? 'nobody';

function authOf(settings: Settings): object {
  const { application_credential_id: id, application_credential_secret: secret } = settings;
  if (id !== undefined)
    return {
      identity: { methods: ['application_credential'], application_credential: { id, secret } },
    };
  const domain = (which: 'user' | 'project') => {
    const byId = settings[`${which}_domain_id`];
    return byId === undefined
      ? { name: settings[`${which}_domain_name`] ?? 'Default' }
      : { id: byId };
  };
  const { user_id, username, password, project_id, project_name } = settings;
  const user =
    user_id === undefined
      ? { name: username, domain: domain('user'), password }
      : { id: user_id, password };
  const project =
    project_id === undefined
      ? { name: project_name, domain: domain('project') }
      : { id: project_id };
  return { identity: { methods: ['password'], password: { user } }, scope: { project } };
}
