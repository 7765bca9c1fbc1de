import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { upcast } from '../../domain/image/upcast.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { newEvent, plain } from '../projections/recorded.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { percentiles } from './load.ts';
import { paced } from './paced.ts';

export interface WebhookFigures {
  /** From the call of the append to the request at a webhook's receiver, at `perSecond` events. */
  readonly perSecond: number;
  readonly toldP50Ms: number;
  readonly toldP99Ms: number;
}

const perSecond = 200;

/** A system of its own; the receiver is in this process. */
export async function measureWebhooks(count: number): Promise<WebhookFigures> {
  const arrived = new Map<string, number>();
  const receiver = createServer((request, response) => {
    const id = String(request.headers['webhook-id']);
    if (!arrived.has(id)) arrived.set(id, performance.now());
    request.resume().on('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  const allow = ['--webhook-allow-http', '--webhook-allowed-ports', String(port)];
  const args = [...allow, '--webhook-allowed-cidrs', '127.0.0.1/32', '--log-level', 'warn'];
  const daguerre = await startDaguerre({ args });
  const log = postgresEventLog(daguerre.postgresUrl, { log: silent, upcast });
  try {
    const body = JSON.stringify({ url: `http://127.0.0.1:${port}/`, all_projects: true });
    const registered = await fetch(`${daguerre.url}/webhooks/v1/endpoints`, {
      method: 'POST',
      body,
    });
    if (!registered.ok) throw new Error(await registered.text());
    const append = async (): Promise<readonly [string, number]> => {
      const event = newEvent({ type: 'ImageCreated', data: plain }, randomUUID());
      const began = performance.now();
      await log.append(`image-${randomUUID()}`, [event], -1);
      return [event.id, began];
    };
    const [first] = await append();
    await until('the webhook to be told', () => arrived.has(first));
    const began = await paced(count, perSecond, append);
    await until('every event to be told', () => arrived.size > count);
    const waits = began.map(([id, at]) => (arrived.get(id) ?? Number.NaN) - at);
    const { p50Ms, p99Ms } = percentiles(waits);
    return { perSecond, toldP50Ms: p50Ms, toldP99Ms: p99Ms };
  } finally {
    await log.close();
    await daguerre.stop();
    receiver.closeAllConnections();
    receiver.close();
  }
}
