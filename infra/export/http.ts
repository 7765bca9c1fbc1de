import type { Format } from '../../domain/export/format.ts';
import type { HttpTarget } from '../config/export-targets.ts';
import { Refused, type Sink } from './sink.ts';
import { tlsMaterial } from './tls.ts';
import { type Answer, webClient } from './web-client.ts';

/** Posts documents: one alone as JSON, several as lines of JSON. */
export async function httpSink(target: HttpTarget, { document }: Format): Promise<Sink> {
  const { url, headers, 'max-records': most, 'timeout-ms': timeoutMs } = target;
  const client = webClient(url, { ...(await tlsMaterial(target)), timeoutMs });
  const type = most === 1 ? 'application/json' : 'application/x-ndjson';
  return {
    most,
    reach: undefined,
    async send(records) {
      const lines = records.map((record) => JSON.stringify(document(record)));
      const body = most === 1 ? lines.join('') : `${lines.join('\n')}\n`;
      requireTaken(await client.post({ 'Content-Type': type, ...headers }, body));
    },
    async idle() {},
    hangUp: client.close,
    async close() {
      client.close();
    },
  };
}

/** What says that the content will not do, rather than that we, the address or the time are wrong. */
const refusing: readonly number[] = [400, 413, 415, 422];

/** Throws where the answer is not that the records were taken. */
export function requireTaken({ status, body }: Answer): void {
  if (status >= 200 && status < 300) return;
  const said = body.replaceAll(/\s+/g, ' ').trim().slice(0, 200);
  const reason = `answered ${status}${said === '' ? '' : `: ${said}`}`;
  throw refusing.includes(status) ? new Refused(reason) : new Error(reason);
}
