import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import type { Config } from '../../infra/config/config.ts';
import type { ExportTarget } from '../../infra/config/export-targets.ts';
import { postgresCursors } from '../../infra/export/cursors.ts';
import { openSink } from '../../infra/export/open-sink.ts';
import { byTurns } from '../../infra/leases/by-turns.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Metrics } from '../../infra/telemetry/metrics.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import { type ExportPorts, exportTo, usualPace } from './export-to.ts';

export interface ExportPart {
  readonly config: Config;
  readonly log: Pick<EventLog, 'readAll' | 'readStream' | 'append' | 'head'>;
  readonly pool: Pool;
  /** The database beside the log. */
  readonly besideLog: Pool;
  readonly leaseOf: (target: string) => Lease;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly stopping: AbortSignal;
}

/** Exports to every target of the configuration, each by whoever holds its lease, until it is asked to stop. */
export async function runExport(part: ExportPart): Promise<void> {
  const { config, log, pool, besideLog, leaseOf, logger, metrics, stopping } = part;
  const targets = config['audit-export-targets'];
  if (targets.length === 0) return;
  const cursors = postgresCursors(besideLog);
  const exported = metrics.counter(
    'export_records_total',
    'Events that a target of the audit export has taken',
    ['target'],
  );
  tellStandings(metrics, { targets, cursors, log });
  const ports: ExportPorts = {
    ...{ log, cursors, logger, pace: usualPace },
    history: historyQueries(pool),
    people: peopleIn(besideLog),
    open: (target) => openSink(target, { dataDir: config['data-dir'], region: config.region }),
    onExported: (target, records) => exported({ target }, records),
  };
  await Promise.all(
    targets.map((target) => {
      const lease = leaseOf(target.id);
      return byTurns({
        ...{ lease, stopping, pollMs: usualPace.lookEveryMs },
        look: async () => undefined,
        work: () => exportTo(target, lease, ports, stopping),
        failed(error) {
          logger.warn({ err: error, target: target.id }, 'an audit export failed; trying again');
          return 'pause';
        },
      });
    }),
  );
}

/** One that has no cursor yet is as far behind as can be. */
function tellStandings(
  metrics: Metrics,
  {
    targets,
    cursors,
    log,
  }: {
    readonly targets: readonly ExportTarget[];
    readonly cursors: Pick<ExportPorts['cursors'], 'standings'>;
    readonly log: Pick<EventLog, 'head'>;
  },
): void {
  const standings = async () =>
    new Map((await cursors.standings()).map((one) => [one.target, one]));
  metrics.gauges(
    'export_lag',
    'How far a target of the audit export is behind the head of the log, in positions',
    'target',
    async () => {
      const [head, known] = [await log.head(), await standings()];
      const lagOf = (id: string) => Math.max(0, Number(head - (known.get(id)?.position ?? 0n)));
      return new Map(targets.map(({ id }) => [id, lagOf(id)]));
    },
  );
  metrics.gauges(
    'export_failing',
    '1 while a target of the audit export cannot be told, or refuses a record',
    'target',
    async () => {
      const known = await standings();
      return new Map(targets.map(({ id }) => [id, known.get(id)?.error == null ? 0 : 1]));
    },
  );
}
