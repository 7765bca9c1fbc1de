import { randomUUID } from 'node:crypto';
import { RevisionConflict } from '../../domain/event-log.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { noted } from '../contracts/noted.ts';

import { silent } from '../support/silent-log.ts';

/**
 * One gateway's worth of writers: `url writers appends streams`. Each appends one to three events at a time, by turns to
 * a stream of its own and to one that every process wants. Sends what was acknowledged. Run by many-writers.test.ts.
 */
const [url = '', writers, appends, streams] = process.argv.slice(2);
const log = postgresEventLog(url, { log: silent, upcast: (event) => event });

/** Id of an append's last event, and the position it was answered with. */
export type Acknowledged = readonly [id: string, position: string];
const acknowledged: Acknowledged[] = [];
let conflicts = 0;

async function appendTo(stream: string, count: number): Promise<void> {
  const events = Array.from({ length: count }, () => noted(`${process.pid}`));
  for (;;) {
    const { revision } = await log.readStream(stream);
    try {
      const position = await log.append(stream, events, revision);
      acknowledged.push([events.at(-1)?.id ?? '', `${position}`]);
      return;
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
      conflicts += 1;
    }
  }
}

async function write(writer: number): Promise<void> {
  const own = `own-${randomUUID()}`;
  for (let turn = 0; turn < Number(appends); turn += 1) {
    const wanted = `wanted-${(writer * 7 + turn * 3) % Number(streams)}`;
    await appendTo(turn % 2 === 0 ? own : wanted, 1 + ((writer + turn) % 3));
  }
}

await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)));
await log.close();
process.send?.({ acknowledged, conflicts });
process.disconnect();
