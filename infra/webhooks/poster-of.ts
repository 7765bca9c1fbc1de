import type { Config } from '../config/config.ts';
import { addressGuard } from '../net/address-guard.ts';
import { type Poster, webhookPoster } from './post.ts';

type Settings = Pick<
  Config,
  | 'webhook-allow-http'
  | 'webhook-allowed-hosts'
  | 'webhook-allowed-ports'
  | 'webhook-allowed-cidrs'
  | 'webhook-timeout-ms'
>;

/** As the operator allows it. */
export const posterOf = (config: Settings): Poster =>
  webhookPoster({
    guard: addressGuard({
      allowedHosts: config['webhook-allowed-hosts'],
      disallowedHosts: [],
      allowedPorts: config['webhook-allowed-ports'],
      disallowedPorts: [],
      allowedCidrs: config['webhook-allowed-cidrs'],
      disallowedCidrs: [],
    }),
    allowHttp: config['webhook-allow-http'],
    timeoutMs: config['webhook-timeout-ms'],
  });
