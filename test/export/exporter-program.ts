import { exportTo } from '../../apps/export/export-to.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { postgresCursors } from '../../infra/export/cursors.ts';
import { openSink } from '../../infra/export/open-sink.ts';
import { peopleIn } from '../../infra/personal/people.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { silent } from '../support/silent-log.ts';
import { noHistory, quickPace, target } from './site.ts';

/** A process that exports until it is killed: `node exporter-program.js URL DIRECTORY TARGET`. */
const [url = '', dataDir = '', said = '{}'] = process.argv.slice(2);
const log = postgresEventLog(url, { log: silent, upcast: (event) => event });
const pool = postgresPool(url, { log: silent, max: 2 });
process.on('disconnect', () => process.exit());
for (;;)
  await exportTo(
    target(JSON.parse(said)),
    { tryHold: async () => true },
    {
      ...{ log, history: noHistory(log), cursors: postgresCursors(pool), people: peopleIn(pool) },
      open: (one) => openSink(one, { dataDir, region: 'RegionOne' }),
      logger: silent,
      pace: quickPace,
      onExported: () => process.send?.('exported'),
    },
    new AbortController().signal,
  );
