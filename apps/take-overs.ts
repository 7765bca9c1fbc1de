import type { Metrics } from '../infra/telemetry/metrics.ts';

/** Counts what a process took over from one that died: a lease by name, or `ingest`. */
export function takeOvers(metrics: Metrics): (what: string) => void {
  const counter = metrics.counter(
    'takeovers_total',
    'Leases and claims taken over from processes that died.',
    ['what'],
  );
  return (what) => counter({ what });
}
