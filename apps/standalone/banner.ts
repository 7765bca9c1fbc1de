import type { Config } from '../../infra/config/config.ts';

/** What a newcomer reads first: where it listens, where its data is, what to try. */
export function banner(config: Config, url: string): string {
  const database =
    config['postgres-url'] === undefined ? 'embedded Postgres' : 'the Postgres that you named';
  return `
Daguerre listens on ${url}
  data       ${config['data-dir']}
  database   ${database}
  identity   none: whoever reaches it is ${config['default-caller']}

Try, with the clients of Debian's python3-glanceclient and python3-openstackclient:
  export OS_IMAGE_URL=${url} OS_AUTH_TOKEN=none
  glance image-create --name cirros --file cirros.qcow2 --disk-format qcow2 --container-format bare
  openstack --os-auth-type none --os-endpoint ${url} image list

Ctrl-C stops it.
`;
}
