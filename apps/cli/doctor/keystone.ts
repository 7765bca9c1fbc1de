import type { Config } from '../../../infra/config/config.ts';
import { examineKeystone } from '../../../infra/identity/keystone/examine.ts';
import { keystoneAccountOf } from '../../gateway/identity-of.ts';
import { examine, type Finding, type Findings } from './finding.ts';

/** Tokens live for an hour and more, but those who fail over between clocks this far apart see odd things. */
const apartMs = 30_000;

export async function examineIdentity(config: Config): Promise<readonly Finding[]> {
  if (config.identity === 'none' && !config['use-keystone-limits']) return [];
  return examine(
    'keystone',
    async (found) => {
      const { account, http } = keystoneAccountOf(config);
      const seen = await examineKeystone(account, { ...http, maxConnections: 1 }, Date.now);
      found.ok(`${seen.url} lets ${account.username} in, and validates tokens`);
      roles(seen.roles, config, found);
      endpoints(seen.imageEndpoints, config, found);
      clock(seen.aheadMs, found);
    },
    'look at --keystone-auth-url, the user, its password, project and domains, and whether Keystone runs',
  );
}

function roles(of: readonly string[], config: Config, found: Findings): void {
  if (of.some((role) => role === 'service' || role === 'admin')) return;
  const { 'keystone-username': user, 'keystone-project-name': project } = config;
  found.warn(
    `${user} has the roles ${of.join(', ') || 'none'} in ${project}: to validate the tokens of others it needs service (openstack role add)`,
  );
}

function endpoints(
  of: readonly { readonly url: string; readonly region_id?: string | null | undefined }[],
  config: Config,
  found: Findings,
): void {
  const here = of.filter(({ region_id }) => region_id === config.region);
  const wanted = config['public-endpoint'];
  const urls = [...new Set(here.map(({ url }) => url))].join(', ');
  if (of.length === 0)
    found.warn('the catalogue has no service of type image: clients do not find this one');
  else if (here.length === 0)
    found.warn(`the catalogue has image endpoints, but none in the region ${config.region}`);
  else if (wanted !== undefined && !here.some(({ url }) => bare(url) === bare(wanted)))
    found.warn(`the catalogue sends clients to ${urls}, and public-endpoint is ${wanted}`);
  else found.ok(`the catalogue sends clients to ${urls}`);
}

const bare = (url: string): string => url.replace(/\/+$/, '');

function clock(aheadMs: number | null, found: Findings): void {
  if (aheadMs === null || Math.abs(aheadMs) <= apartMs) return;
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const how = aheadMs > 0 ? 'ahead of' : 'behind';
  found.warn(`its clock is ${seconds} s ${how} ours: let both hosts take their time from NTP`);
}
