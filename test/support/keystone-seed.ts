import type { KeystoneApi } from './keystone-api.ts';

export const password = 'secret';
export const region = 'RegionOne';

/** Users and what they may do where, besides the administrator; each has the same password. */
const users: readonly (readonly [user: string, project: string, role: string])[] = [
  ['demo', 'demo', 'member'],
  ['alt', 'alt', 'member'],
  ['viewer', 'demo', 'reader'],
  // The service under test itself, and another service that asks on somebody's behalf.
  ['daguerre', 'service', 'service'],
  ['nova', 'service', 'service'],
];

/**
 * Fills a Keystone fresh from `keystone-manage bootstrap`: projects admin, demo, alt and service with their users, the
 * administrator having the role for the whole system and the domain too, and an image service in the catalog.
 */
export async function seedKeystone(api: KeystoneApi): Promise<void> {
  const roles = (await api.call('GET', '/roles')).roles as readonly { name: string }[];
  // Newer releases bring it along.
  if (!roles.some(({ name }) => name === 'service')) await api.create('role', { name: 'service' });
  for (const name of ['demo', 'alt', 'service'])
    await api.create('project', { name, domain_id: 'default' });
  for (const [user, project, role] of users) {
    const default_project_id = await api.idOf('project', project);
    await api.create('user', { name: user, password, domain_id: 'default', default_project_id });
    await api.grant(role, user, { project });
  }
  await api.grant('admin', 'admin', { domain: 'default' });
  // To read every project's unified limits.
  await api.grant('reader', 'daguerre', { system: true });
  const service_id = await api.create('service', { name: 'glance', type: 'image' });
  const url = 'http://127.0.0.1:9292';
  for (const side of ['public', 'internal', 'admin'])
    await api.call('POST', '/endpoints', {
      endpoint: { service_id, interface: side, region_id: region, url },
    });
}
