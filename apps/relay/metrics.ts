import type { EventLog } from '../../domain/event-log.ts';
import type { Lane } from '../../infra/bus/nats/relay.ts';
import type { Metrics } from '../../infra/telemetry/metrics.ts';

/** How far a stream is. */
export interface RelayedTo {
  readonly stream: string;
  readonly position: number;
}

const positionName = 'daguerre_relay_position';

/** What a relay tells of the streams that it fills; of those that another fills it is silent. */
export function relayMetrics(metrics: Metrics, log: Pick<EventLog, 'head'>) {
  const positions = new Map<string, bigint>();
  metrics.gauges(
    'relay_position',
    'Position in the log up to which a JetStream stream tells it.',
    'stream',
    () => new Map([...positions].map(([stream, position]) => [stream, Number(position)])),
  );
  metrics.gauges(
    'relay_lag',
    'How far that is behind the head of the log, in positions.',
    'stream',
    async () => {
      const head = await log.head();
      return new Map(
        [...positions].map(([stream, position]) => [stream, Math.max(0, Number(head - position))]),
      );
    },
  );
  const untold = metrics.counter(
    'relay_events_untold_total',
    'Events that could not be told outside and were passed over.',
    ['stream'],
  );
  return {
    relayed: ({ shape }: Lane, position: bigint) => void positions.set(shape.name, position),
    standsBy: ({ shape }: Lane) => void positions.delete(shape.name),
    untold: ({ shape }: Lane) => untold({ stream: shape.name }),
  };
}

/** The same read back from the metrics of relays, as they travel with their heartbeats; of two, what is further. */
export function relayedTo(snapshots: readonly (readonly object[])[]): readonly RelayedTo[] {
  const found = new Map<string, number>();
  for (const metric of snapshots.flat() as readonly {
    readonly name?: string;
    readonly values?: readonly { readonly value: number; readonly labels: { stream?: string } }[];
  }[])
    if (metric.name === positionName)
      for (const { value, labels } of metric.values ?? [])
        if (labels.stream !== undefined)
          found.set(labels.stream, Math.max(value, found.get(labels.stream) ?? 0));
  return [...found].sort().map(([stream, position]) => ({ stream, position }));
}
