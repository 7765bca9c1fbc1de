import type { Config } from '../config/config.ts';
import { type AddressGuard, addressGuard } from './address-guard.ts';

/** Where the operator lets imports fetch from. */
export const importGuard = (config: Config): AddressGuard =>
  addressGuard({
    allowedHosts: config['import-allowed-hosts'],
    disallowedHosts: config['import-disallowed-hosts'],
    allowedPorts: config['import-allowed-ports'],
    disallowedPorts: config['import-disallowed-ports'],
    allowedCidrs: config['import-allowed-cidrs'],
    disallowedCidrs: config['import-disallowed-cidrs'],
  });
