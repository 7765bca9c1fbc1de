import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** How the work on one claim ended; `broken` by what nobody foresaw, and it is to be claimed again. */
export type IngestOutcome = 'activated' | 'failed' | 'superseded' | 'released' | 'broken';

/** What a worker tells of itself. */
export interface WorkerMetrics {
  ingestEnded(outcome: IngestOutcome, seconds: number): void;
  /** A lease or claim was taken over from a process that died. */
  tookOver(what: 'dispatcher' | 'ingest'): void;
  jobIssued(why: 'staged' | 'reconciled'): void;
  bytesSwept(where: 'staging' | 'store'): void;
}

/** Prometheus metrics of one worker process, in a registry of their own. */
export function workerMetrics(jobsWaiting: () => Promise<number>): {
  registry: Registry;
  metrics: WorkerMetrics;
} {
  const registry = new Registry();
  const registers = [registry];
  const ingest = new Histogram({
    name: 'daguerre_ingest_seconds',
    help: 'From the claim of an upload to its end, by outcome.',
    labelNames: ['outcome'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800],
    registers,
  });
  const takeOvers = new Counter({
    name: 'daguerre_takeovers_total',
    help: 'Leases and claims taken over from processes that died.',
    labelNames: ['what'],
    registers,
  });
  const issued = new Counter({
    name: 'daguerre_jobs_issued_total',
    help: 'Ingest jobs put into the queue; `reconciled` are those that were missing from it.',
    labelNames: ['why'],
    registers,
  });
  const swept = new Counter({
    name: 'daguerre_swept_objects_total',
    help: 'Objects removed because nothing can name them any more.',
    labelNames: ['where'],
    registers,
  });
  new Gauge({
    name: 'daguerre_jobs_waiting',
    help: 'Ingest jobs that wait for a worker.',
    registers,
    // The value of the last time, and not awaited: metrics travel with heartbeats, which wait for no queue.
    collect() {
      jobsWaiting().then(
        (count) => this.set(count),
        () => this.reset(),
      );
    },
  });
  return {
    registry,
    metrics: {
      ingestEnded: (outcome, seconds) => ingest.observe({ outcome }, seconds),
      tookOver: (what) => takeOvers.inc({ what }),
      jobIssued: (why) => issued.inc({ why }),
      bytesSwept: (where) => swept.inc({ where }),
    },
  };
}
