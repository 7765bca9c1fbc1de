import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type LabelValues,
  Registry,
} from 'prom-client';

/** Every metric of one process, as prom-client gives them in JSON. */
export type Snapshot = readonly object[];

/** What one process tells Prometheus. Names begin with `daguerre_`; every series carries the label `part`. */
export interface Metrics {
  readonly contentType: string;
  /** The page that Prometheus reads: this process's, and what others sent. Series with equal labels are added up. */
  text(others?: readonly Snapshot[]): Promise<string>;
  snapshot(): Promise<Snapshot>;
  counter<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
  ): (labels: LabelValues<Label>, count?: number) => void;
  /** Times in seconds, by default from a millisecond to a minute. */
  seconds<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    buckets?: readonly number[],
  ): (labels: LabelValues<Label>, seconds: number) => void;
  /**
   * A value that is asked for when Prometheus asks; one that cannot be had is left out. It belongs to the whole
   * system: what several processes say of it is not added up.
   */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
  /** The same for several of a kind, each under its name in `label`. */
  gauges(
    name: string,
    help: string,
    label: string,
    read: () => ReadonlyMap<string, number> | Promise<ReadonlyMap<string, number>>,
  ): void;
}

const prefix = 'daguerre_';
const usualBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60];

export function processMetrics(part: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ part });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    contentType: registry.contentType,
    async text(others = []) {
      const all = [await registry.getMetricsAsJSON(), ...others];
      return AggregatorRegistry.aggregate(all.map(kept) as object[][] as never).metrics();
    },
    snapshot: () => registry.getMetricsAsJSON(),
    counter(name, help, labelNames) {
      const counter = new Counter({ name: prefix + name, help, labelNames, registers });
      return (labels, count = 1) => counter.inc(labels, count);
    },
    seconds(name, help, labelNames, buckets = usualBuckets) {
      const histogram = new Histogram({
        name: prefix + name,
        help,
        labelNames,
        buckets: [...buckets],
        registers,
      });
      return (labels, seconds) => histogram.observe(labels, seconds);
    },
    gauge(name, help, read) {
      new Gauge({
        name: prefix + name,
        help,
        registers,
        aggregator: 'max',
        async collect() {
          try {
            this.set(await read());
          } catch {
            this.reset();
          }
        },
      });
    },
    gauges(name, help, label, read) {
      new Gauge({
        name: prefix + name,
        help,
        registers,
        labelNames: [label],
        aggregator: 'max',
        async collect() {
          const values = await Promise.resolve(read()).catch(() => new Map<string, number>());
          this.reset();
          for (const [one, value] of values) this.set({ [label]: one }, value);
        },
      });
    },
  };
}

/** prom-client leaves some process metrics out of sums; ours are apart by their label already. */
const kept = (snapshot: Snapshot): object[] =>
  snapshot.map((metric) =>
    'aggregator' in metric && metric.aggregator === 'omit'
      ? { ...metric, aggregator: 'first' }
      : metric,
  );
