import type { TestContext } from 'node:test';
import type { Pool } from 'pg';
import type { AppPorts } from '../../apps/gateway/app.ts';
import { runProjector } from '../../apps/projector/run-projector.ts';
import { personalMigrations } from '../../infra/personal/migrations.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { keptPast } from '../../projections/history/kept-past.ts';
import { pastQueries } from '../../projections/history/past.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { historyQueries } from '../../projections/history/queries.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import type { Projection } from '../../projections/projection.ts';
import { migrations, ownLease, quiet, unexpected } from '../projections/read-model.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';

export interface HistorySite extends TestGateway {
  readonly pool: Pool;
}

/** A gateway whose images and history are those of Postgres, as projectors keep them. */
export async function startHistorySite(
  t: TestContext,
  change: (ports: AppPorts) => AppPorts = (ports) => ports,
): Promise<HistorySite> {
  const { pool, url } = await testDatabase([...migrations, ...personalMigrations]);
  const showing = [imagesProjection, historyProjection].map(({ name }) =>
    visible(pool, url, { log: silent, models: [name] }),
  );
  const [imagesShown, historyShown] = showing;
  if (imagesShown === undefined || historyShown === undefined) throw new Error('nothing is shown');
  const gateway = await startGateway(t, {
    change: (ports) =>
      change({
        ...ports,
        images: imageQueries(pool),
        visible: imagesShown,
        personal: personalRecords(pool),
        history: {
          ...ports.history,
          changes: historyQueries(pool),
          past: keptPast(pastQueries(pool), { weight: 1024 * 1024 }),
          visible: historyShown,
          people: peopleIn(pool),
        },
      }),
  });
  const stopping = new AbortController();
  const { log } = gateway.ports;
  const projecting = (projection: Projection<object>): Promise<void> =>
    runProjector({
      projection,
      pool,
      log,
      logger: quiet,
      lease: ownLease,
      onUnprojectable: unexpected,
      passStep: () => {},
      stopping: stopping.signal,
      onReady: () => {},
    });
  const running = [imagesProjection, historyProjection].map((one) => projecting(one));
  t.after(async () => {
    stopping.abort();
    await Promise.all(running);
    await Promise.all(showing.map((one) => one.close()));
  });
  await Promise.all(showing.map((one) => one.waitFor(0n, 60_000)));
  return { ...gateway, pool };
}
