import type { Config } from '../../infra/config/config.ts';

/**
 * What a newcomer reads first: where it listens, where its data is, what to try. `given` is what the operator named, `told`
 * the same with what was started besides.
 */
export function banner(given: Config, told: Config, urls: readonly string[]): string {
  const [first = '', ...more] = urls;
  const url = given['public-endpoint'] ?? first;
  const others = more.length === 0 ? '' : `, and on ${more.join(', ')}`;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['data', given['data-dir']],
    ['database', given['postgres-url'] === undefined ? 'embedded Postgres' : namedPostgres],
    ['event log', given['event-log-url'] && 'the one that you named'],
    ['bus', serverOf(given['nats-url'], told['nats-url'], 'NATS', 'nats')],
    ['jobs', serverOf(given['redis-url'], told['redis-url'], 'Redis', 'redis')],
    ['identity', identityOf(given)],
  ];
  return `
Daguerre listens on ${url}${others}
${rows.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(11)}${value}`])).join('\n')}

${given.identity === 'none' ? firstCommands(url) : withKeystone(url)}

Ctrl-C stops it.
`;
}

const namedPostgres = 'the Postgres that you named';

/** Without the secret, which is in a file of the data directory. */
function serverOf(
  given: unknown,
  told: string | readonly string[] | undefined,
  name: string,
  directory: string,
): string | undefined {
  if (given !== undefined) return `the ${name} that you named`;
  if (told === undefined) return undefined;
  const { host } = new URL(String(told));
  return `${name} on ${host}; its password is in ${directory}/address.json`;
}

const identityOf = (config: Config): string =>
  config.identity === 'none'
    ? `none: whoever reaches it is ${config['default-caller']}`
    : `Keystone at ${config['keystone-auth-url']}`;

const firstCommands = (
  url: string,
): string => `Try, with the clients of Debian's python3-glanceclient and python3-openstackclient:
  export OS_IMAGE_URL=${url} OS_AUTH_TOKEN=none
  glance image-create --name cirros --file cirros.qcow2 --disk-format qcow2 --container-format bare
  openstack --os-auth-type none --os-endpoint ${url} image list`;

const withKeystone = (url: string): string =>
  `The image endpoint of Keystone's catalog should be ${url}; clients then need their OS_ variables only.`;
