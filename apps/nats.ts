import type { NatsAccess } from '../infra/bus/nats/connection.ts';
import type { BusPlace } from '../infra/bus/nats/lanes.ts';
import type { Config } from '../infra/config/config.ts';

/** How the settings say that NATS is reached; undefined where they name none. */
export function natsAccess(config: Config): NatsAccess | undefined {
  const urls = config['nats-url'];
  if (urls === undefined) return undefined;
  return {
    urls,
    credentialsFile: config['nats-credentials-file'],
    caFile: config['nats-ca-file'],
    certFile: config['nats-cert-file'],
    keyFile: config['nats-key-file'],
  };
}

export const busPlace = (config: Config): BusPlace => ({
  stream: config['nats-stream'],
  region: config.region,
  maxAgeMs: config['nats-max-age-seconds'] * 1_000,
  maxBytes: config['nats-max-bytes'],
  duplicateWindowMs: config['nats-duplicate-window-seconds'] * 1_000,
  replicas: config['nats-replicas'],
});
