import type { Metrics } from '../../infra/telemetry/metrics.ts';
import { takeOvers } from '../take-overs.ts';

/** How the work on one claim ended; `broken` by what nobody foresaw, and it is to be claimed again. */
export type IngestOutcome = 'activated' | 'failed' | 'superseded' | 'released' | 'broken';

/** What a worker tells of itself. */
export interface WorkerMetrics {
  ingestEnded(outcome: IngestOutcome, seconds: number): void;
  /** A lease or claim was taken over from a process that died. */
  tookOver(what: 'dispatcher' | 'ingest' | 'webhook' | 'bulk-imports'): void;
  jobIssued(why: 'staged' | 'reconciled'): void;
  bytesSwept(where: 'staging' | 'store'): void;
}

const ingestBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800];

export function workerMetrics(metrics: Metrics, jobsWaiting: () => Promise<number>): WorkerMetrics {
  const ingest = metrics.seconds(
    'ingest_seconds',
    'From the claim of an upload to its end, by outcome.',
    ['outcome'],
    ingestBuckets,
  );
  const issued = metrics.counter(
    'jobs_issued_total',
    'Ingest jobs put into the queue; `reconciled` are those that were missing from it.',
    ['why'],
  );
  const swept = metrics.counter(
    'swept_objects_total',
    'Objects removed because nothing can name them any more.',
    ['where'],
  );
  // The value of the last time: metrics travel with heartbeats, which wait for no queue.
  let waiting = 0;
  metrics.gauge('jobs_waiting', 'Ingest jobs that wait for a worker.', () => {
    jobsWaiting().then(
      (count) => {
        waiting = count;
      },
      () => {},
    );
    return waiting;
  });
  return {
    ingestEnded: (outcome, seconds) => ingest({ outcome }, seconds),
    tookOver: takeOvers(metrics),
    jobIssued: (why) => issued({ why }),
    bytesSwept: (where) => swept({ where }),
  };
}
