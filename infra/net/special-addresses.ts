import { BlockList, isIPv6 } from 'node:net';

/** What IANA keeps for other uses than the public Internet, and forms of IPv6 that carry an IPv4 address within. */
const special = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
] as const;

/** All of IPv6 that is routed publicly lies in here. */
const globalUnicast = '2000::/3';

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4');

export type Networks = (address: string) => boolean;

/** Whether an address lies in one of the networks, each as `address/bits`. */
export function networks(cidrs: readonly string[]): Networks {
  // One list per family: Node's own takes ::ffff:127.0.0.1 for 127.0.0.1, which nobody allows by naming the latter.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const cidr of cidrs) {
    const [address = '', bits = ''] = cidr.split('/');
    lists[familyOf(address)].addSubnet(address, Number(bits), familyOf(address));
  }
  return (address) => lists[familyOf(address)].check(address, familyOf(address));
}

const isSpecialUse = networks(special);
const isGlobalUnicast = networks([globalUnicast]);

/** Loopback, private, link-local, multicast and the like: addresses that no stranger's URL may lead this machine to. */
export const isSpecial = (address: string): boolean =>
  isSpecialUse(address) || (isIPv6(address) && !isGlobalUnicast(address));
