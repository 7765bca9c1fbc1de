import type { EventLog } from '../domain/event-log.ts';
import { upcast } from '../domain/image/upcast.ts';
import type { Bus } from '../infra/bus/bus.ts';
import { logBus } from '../infra/bus/log/bus.ts';
import type { Config } from '../infra/config/config.ts';
import type { Log } from '../infra/postgres/log.ts';
import { busPlace, natsAccess } from './nats.ts';

/** The bus that the settings name. NATS may come later: until then the log tells. */
export async function openBus(
  config: Config,
  { log, owner, logger }: { readonly log: EventLog; readonly owner: string; readonly logger: Log },
): Promise<Bus> {
  const access = natsAccess(config);
  if (access === undefined) return logBus(log);
  // Only who uses it loads it.
  const { connectNats } = await import('../infra/bus/nats/connection.ts');
  const { natsBus } = await import('../infra/bus/nats/bus.ts');
  const { ownStream } = await import('../infra/bus/nats/lanes.ts');
  const connect = (signal: AbortSignal) =>
    connectNats(access, { name: owner, log: logger, signal });
  const stream = ownStream(busPlace(config).stream);
  return natsBus({ connect, log, upcast, stream, owner, logger });
}
