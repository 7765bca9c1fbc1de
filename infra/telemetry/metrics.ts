import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type LabelValues,
  Registry,
} from 'prom-client';

/** What one process tells Prometheus. Names begin with `daguerre_`; every series carries the label `part`. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  counter<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
  ): (labels: LabelValues<Label>, count?: number) => void;
  /** Times in seconds, from a millisecond to a minute. */
  seconds<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
  ): (labels: LabelValues<Label>, seconds: number) => void;
  /** A value that is asked for when Prometheus asks; one that cannot be had is left out. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void;
}

const prefix = 'daguerre_';
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60];

export function processMetrics(part: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ part });
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter(name, help, labelNames) {
      const counter = new Counter({ name: prefix + name, help, labelNames, registers });
      return (labels, count = 1) => counter.inc(labels, count);
    },
    seconds(name, help, labelNames) {
      const buckets = secondsBuckets;
      const histogram = new Histogram({
        name: prefix + name,
        help,
        labelNames,
        buckets,
        registers,
      });
      return (labels, seconds) => histogram.observe(labels, seconds);
    },
    gauge(name, help, read) {
      new Gauge({
        name: prefix + name,
        help,
        registers,
        async collect() {
          try {
            this.set(await read());
          } catch {
            this.reset();
          }
        },
      });
    },
  };
}
