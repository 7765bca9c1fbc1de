import type { Config } from '../../infra/config/config.ts';

/** What a newcomer reads first: where it listens, where its data is, what to try. */
export function banner(config: Config, url: string): string {
  const database =
    config['postgres-url'] === undefined ? 'embedded Postgres' : 'the Postgres that you named';
  const identity =
    config.identity === 'none'
      ? `none: whoever reaches it is ${config['default-caller']}`
      : `Keystone at ${config['keystone-auth-url']}`;
  return `
Daguerre listens on ${url}
  data       ${config['data-dir']}
  database   ${database}
  identity   ${identity}

${config.identity === 'none' ? firstCommands(url) : withKeystone(url)}

Ctrl-C stops it.
`;
}

const firstCommands = (
  url: string,
): string => `Try, with the clients of Debian's python3-glanceclient and python3-openstackclient:
  export OS_IMAGE_URL=${url} OS_AUTH_TOKEN=none
  glance image-create --name cirros --file cirros.qcow2 --disk-format qcow2 --container-format bare
  openstack --os-auth-type none --os-endpoint ${url} image list`;

const withKeystone = (url: string): string =>
  `The image endpoint of Keystone's catalog should be ${url}; clients then need their OS_ variables only.`;
