import { lookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { isSpecial, networks } from './special-addresses.ts';

/** Where the service may go on a stranger's word. Host names are lower case. */
export interface ReachRules {
  /** If any, the only hosts; one that is named here may have any address. */
  readonly allowedHosts: readonly string[];
  readonly disallowedHosts: readonly string[];
  readonly allowedPorts: readonly number[];
  readonly disallowedPorts: readonly number[];
  /** Special ranges that may be reached all the same. */
  readonly allowedCidrs: readonly string[];
  readonly disallowedCidrs: readonly string[];
}

/** A URL that was let through, with the addresses of its host that were: connect to these and no others. */
export interface Admitted {
  readonly url: URL;
  readonly addresses: readonly string[];
}

/**
 * Keeps requests whose URL a stranger chose away from what only this machine can reach (reference, section 25). Ask it
 * again for each redirect.
 */
export interface AddressGuard {
  /** What can be said without asking DNS. Throws `UrlRefused`. */
  examine(text: string): URL;
  /** Rejects with `UrlRefused`, or with `HostUnknown`. */
  admit(text: string): Promise<Admitted>;
}

/** A rule keeps the service from this URL. The message may be shown to whoever gave it. */
export class UrlRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UrlRefused';
  }
}

/** DNS has no address for it, or cannot say. */
export class HostUnknown extends Error {
  constructor(host: string, cause: unknown) {
    super(`the host ${host} cannot be found`, { cause });
    this.name = 'HostUnknown';
  }
}

/** Every address of a host. */
export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveByDns: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);

export function addressGuard(rules: ReachRules, resolve: Resolve = resolveByDns): AddressGuard {
  const allowedHosts = new Set(rules.allowedHosts.map(withoutBrackets));
  const disallowedHosts = new Set(rules.disallowedHosts.map(withoutBrackets));
  const isAllowed = networks(rules.allowedCidrs);
  const isDisallowed = networks(rules.disallowedCidrs);

  const examine = (text: string): URL => {
    const url = wellFormed(text);
    const port = portOf(url);
    if (!rules.allowedPorts.includes(port) || rules.disallowedPorts.includes(port))
      throw new UrlRefused(`the port ${port} is not allowed`);
    const host = hostOf(url);
    if (disallowedHosts.has(host)) throw new UrlRefused(`the host ${host} is not allowed`);
    if (isIP(host) !== 0) requireAddress(host, host);
    else if (allowedHosts.size > 0 && !allowedHosts.has(host) && rules.allowedCidrs.length === 0)
      throw new UrlRefused(`the host ${host} is not among those that are allowed`);
    return url;
  };

  const requireAddress = (host: string, address: string): void => {
    if (isDisallowed(address)) throw new UrlRefused(`the address of ${host} is not allowed`);
    if (allowedHosts.has(host) || isAllowed(address)) return;
    if (allowedHosts.size > 0)
      throw new UrlRefused(`the host ${host} is not among those that are allowed`);
    if (isSpecial(address)) throw new UrlRefused(`the host ${host} is not on a public network`);
  };

  return {
    examine,
    async admit(text) {
      const url = examine(text);
      const host = hostOf(url);
      if (isIP(host) !== 0) return { url, addresses: [host] };
      const addresses = await resolve(host).catch((error) => {
        throw new HostUnknown(host, error);
      });
      if (addresses.length === 0) throw new HostUnknown(host, undefined);
      for (const address of addresses) requireAddress(host, address);
      return { url, addresses };
    },
  };
}

/** Lower case, an IPv6 address without its brackets, and without the dot that may end a name. */
export const hostOf = (url: URL): string => withoutBrackets(url.hostname).replace(/\.$/, '');

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

const portOf = ({ port, protocol }: URL): number =>
  port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);

/** http or https, a host in its plain spelling, no user: everything that two parsers may read differently is refused. */
function wellFormed(text: string): URL {
  const [, authority] = /^https?:\/\/([^/?#\\\s]+)[^\\\s]*$/i.exec(text) ?? [];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || authority === undefined)
    throw new UrlRefused('only URLs of the form http://HOST/... or https://HOST/... are allowed');
  if (authority.includes('@') || url.username !== '' || url.password !== '')
    throw new UrlRefused('a URL may hold no user and no password');
  const written = authority.replace(/:\d*$/, '').toLowerCase();
  if (isIPv4(url.hostname) && written !== url.hostname)
    throw new UrlRefused('an address must be written as four decimal numbers');
  if (url.hostname === '') throw new UrlRefused('the URL names no host');
  return url;
}
