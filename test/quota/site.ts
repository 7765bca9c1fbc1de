import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { upcast } from '../../domain/image/upcast.ts';
import type { QuotaEvent } from '../../domain/quota/events.ts';
import { noneOpen, type OpenReservation, quota } from '../../domain/quota/quota.ts';
import type { Usage } from '../../domain/quota/resources.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { projectStream } from '../../projections/quota/fold.ts';
import { quotaQueries } from '../../projections/quota/queries.ts';
import { startTree, type Tree } from '../faults/tree.ts';
import { type Answer, ask } from '../support/http.ts';
import { gone, killNow } from '../support/processes.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';

export const project = 'red';
const token = `alice:${project}:member`;
export const mebibyte = 1024 ** 2;
export const raw = JSON.stringify({ disk_format: 'raw', container_format: 'bare' });

/** The embedded profile with limits, and a second gateway beside its own. */
export interface Site {
  readonly tree: Tree;
  /** Of both gateways; they stay the same. */
  readonly urls: readonly [string, string];
  post(url: string, body?: string): Promise<Answer>;
  delete(url: string, id: string): Promise<Answer>;
  /** Of an announced size. */
  upload(url: string, id: string, body: Uint8Array): Promise<Answer>;
  /** Of no announced size, in these pieces. */
  stream(url: string, id: string, pieces: readonly number[]): Promise<number>;
  /** What the log says is reserved. */
  open(): Promise<readonly OpenReservation[]>;
  /** What the images take by the read model, once that has everything. */
  usage(): Promise<Usage>;
  /** The same, added up from what clients are shown. */
  shown(): Promise<Pick<Usage, 'images' | 'bytes' | 'uploads'>>;
  stop(): Promise<void>;
}

export async function startSite(args: readonly string[]): Promise<Site> {
  const tree = await startTree(['--lease-ms', '1000', ...args]);
  const { postgresUrl } = tree.now();
  const second = await startGateway(tree, postgresUrl, args);
  const log = postgresEventLog(postgresUrl, { log: silent, upcast });
  const pool = postgresPool(postgresUrl, { log: silent, max: 2 });
  const quotas = quotaQueries(pool);
  const headers = { 'X-Auth-Token': token, 'Content-Type': 'application/octet-stream' };
  return {
    tree,
    urls: [tree.api.url, second.url],
    post: (url, body = raw) => ask(url, '/v2/images', { method: 'POST', headers, body }),
    delete: (url, id) => ask(url, `/v2/images/${id}`, { method: 'DELETE', headers }),
    upload: (url, id, body) => ask(url, `/v2/images/${id}/file`, { method: 'PUT', headers, body }),
    async stream(url, id, pieces) {
      async function* body(): AsyncGenerator<Uint8Array> {
        for (const piece of pieces) yield new Uint8Array(piece);
      }
      const answer = await fetch(`${url}/v2/images/${id}/file`, {
        method: 'PUT',
        headers,
        body: ReadableStream.from(body()) as never,
        duplex: 'half',
      } as RequestInit);
      await answer.arrayBuffer();
      return answer.status;
    },
    async open() {
      const { events } = await log.readStream(projectStream(project));
      const facts = events as unknown as readonly QuotaEvent[];
      return [...facts.reduce(quota.evolve, noneOpen).open.values()];
    },
    async usage() {
      const head = await log.head();
      return until('the quota read model to have everything', async () => {
        const { usage, position } = await quotas.usageOf(project);
        return position >= head ? usage : undefined;
      });
    },
    async shown() {
      const { images } = (await ask(tree.api.url, '/v2/images?limit=1000', { headers })).json() as {
        images: readonly { status: string; size: number | null }[];
      };
      return {
        images: images.length,
        bytes: images.reduce((sum, { size }) => sum + (size ?? 0), 0),
        uploads: images.filter(({ status }) => status === 'saving').length,
      };
    },
    async stop() {
      killNow(second.pid);
      await gone([second.pid]);
      await log.close();
      await pool.end();
      await tree.stop();
    },
  };
}

async function startGateway(tree: Tree, postgresUrl: string, args: readonly string[]) {
  const main = fileURLToPath(new URL('../../apps/gateway/main.js', import.meta.url));
  const flags = ['--data-dir', tree.dataDir, '--port', '0', '--postgres-url', postgresUrl];
  const child = spawn(process.execPath, [main, ...flags, '--lease-ms', '1000', ...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {},
  });
  const [said] = (await once(child, 'message')) as [{ readonly url: string }];
  assert(child.pid !== undefined);
  return { url: said.url, pid: child.pid };
}
