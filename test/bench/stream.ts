import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { upcast } from '../../domain/image/upcast.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { newEvent, plain } from '../projections/recorded.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { percentiles } from './load.ts';
import { paced } from './paced.ts';

export interface StreamFigures {
  /** From the call of the append to the event at a client of `GET /events/v1/stream`, at `perSecond` events. */
  readonly perSecond: number;
  readonly streamedP50Ms: number;
  readonly streamedP99Ms: number;
}

const perSecond = 200;

/** A system of its own; the client is in this process. */
export async function measureStream(count: number): Promise<StreamFigures> {
  const daguerre = await startDaguerre({ args: ['--log-level', 'warn'] });
  const log = postgresEventLog(daguerre.postgresUrl, { log: silent, upcast });
  const arrived = new Map<string, number>();
  const stop = streamOf(`${daguerre.url}/events/v1/stream`, (position) => {
    if (!arrived.has(position)) arrived.set(position, performance.now());
  });
  try {
    const append = async (): Promise<readonly [string, number]> => {
      const event = newEvent({ type: 'ImageCreated', data: plain }, randomUUID());
      const began = performance.now();
      return [String(await log.append(`image-${randomUUID()}`, [event], -1)), began];
    };
    await until('the stream to begin', async () => {
      await append();
      return arrived.size > 0;
    });
    const began = await paced(count, perSecond, append);
    await until('every event to be there', () =>
      began.every(([position]) => arrived.has(position)),
    );
    const { p50Ms, p99Ms } = percentiles(
      began.map(([position, at]) => (arrived.get(position) ?? Number.NaN) - at),
    );
    return { perSecond, streamedP50Ms: p50Ms, streamedP99Ms: p99Ms };
  } finally {
    stop();
    await log.close();
    await daguerre.stop();
  }
}

/** Tells of the position of each event; gives the function that ends it. */
function streamOf(url: string, heard: (position: string) => void): () => void {
  const asked = request(url, (response) => {
    let rest = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('id: ')) heard(line.slice('id: '.length));
    });
  });
  asked.on('error', () => {});
  asked.end();
  return () => asked.destroy();
}
