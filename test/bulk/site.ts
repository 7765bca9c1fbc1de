import type { TestContext } from 'node:test';
import type { BulkLimits } from '../../apps/bulk/budget.ts';
import { imageWork } from '../../apps/bulk/image-work.ts';
import { equalImage } from '../../apps/bulk/part.ts';
import { runBulkImports } from '../../apps/bulk/runner.ts';
import { imageCommands } from '../../apps/gateway/commands.ts';
import { imports } from '../../apps/gateway/imports.ts';
import { logTail } from '../../apps/gateway/log-tail.ts';
import { noQuota } from '../../apps/gateway/quota.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { defaultLimits } from '../../domain/image/attributes.ts';
import type { ImageEvent, IngestFailure } from '../../domain/image/events.ts';
import { imageDecider } from '../../domain/image/image.ts';
import { storeKey } from '../../domain/store.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import { alice, startGateway, type TestGateway } from '../support/gateway.ts';
import { memoryBulk } from '../support/gateway-bulk.ts';
import { hex, pipeline } from '../support/gateway-worker.ts';
import type { Answer } from '../support/http.ts';
import { until } from '../support/until.ts';

/** What stands at a URL: bytes, or why they cannot be had. */
export type Page = Buffer | { readonly fails: IngestFailure };

export interface Runner {
  stop(): Promise<void>;
}

const always: Lease = { tryHold: async () => true, release: async () => {} };
const path = '/bulk/v1/imports';

/** A gateway over a log in memory, runners of bulk imports, and a worker that fetches from `pages`. */
export async function bulkSite(t: TestContext, change?: Parameters<typeof startGateway>[1]) {
  const gateway = await startGateway(t, {
    ...change,
    change: (ports) => {
      const more = change?.change?.(ports) ?? ports;
      return { ...more, importMethods: ['web-download', 'glance-direct'] };
    },
  });
  const { log, access, images, visible } = gateway.ports;
  const pages = new Map<string, Page>();
  const fetched: string[] = [];
  const gate = { tickets: Number.POSITIVE_INFINITY };
  const ending = new AbortController();
  const tail = await logTail(log, ending.signal);
  const fetching = fetcher(log, pages, fetched, gate, ending.signal);
  const runners = new Set<Runner>();
  t.after(async () => {
    await Promise.all([...runners].map((one) => one.stop()));
    ending.abort();
    await fetching;
  });
  const decider = imageDecider(defaultLimits, access);
  const personal = { remember: async () => '' };

  const runner = ({
    limits = { total: 8, project: 0, host: 0 },
    lease = always,
    through = log,
    wallClock = Date.now,
  }: {
    limits?: BulkLimits;
    lease?: Lease;
    through?: Pick<EventLog, 'readStream' | 'append'>;
    wallClock?: () => number;
  } = {}): Runner => {
    const stopping = new AbortController();
    const commands = imageCommands({
      ...{ log: through, images, visible, personal, decider, quota: noQuota },
      passStep: () => {},
    });
    const running = runBulkImports(
      {
        log: through,
        tail: async () => tail,
        imports: memoryBulk(log),
        lease,
        limits,
        uploadsAtOnce: 4,
        lookEveryMs: 10,
        listingPatienceMs: 60_000,
        uploadPatienceMs: 60_000,
        wallClock,
        logger: gateway.ports.logger,
        work: imageWork({
          ...{ log: through, decider, personal, commands, isLimited: false, keepDeletedMs: null },
          imports: imports({ commands, quota: noQuota }),
        }),
        equalTo: (item) => equalImage(item, images),
        inWork: async () => new Set(),
      },
      stopping.signal,
    );
    const one: Runner = {
      async stop() {
        runners.delete(one);
        stopping.abort();
        await running;
      },
    };
    runners.add(one);
    return one;
  };

  const show = async (id: string, token = alice) =>
    (await gateway.ask(`${path}/${id}`, { token })).json() as unknown as ShownImport;

  return {
    gateway,
    log,
    pages,
    /** URLs, once for each time that they were fetched. */
    fetched,
    /** Each page that is fetched takes a ticket, and waits for one. */
    gate,
    runner,
    show,
    ask: (manifest: unknown, query = '', token = alice): Promise<Answer> =>
      gateway.send('POST', `${path}${query}`, manifest, token),
    /** Asks for an import and gives its id. */
    async request(manifest: unknown, token = alice): Promise<string> {
      const answer = await gateway.send('POST', path, manifest, token);
      if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`);
      return String(answer.json().id);
    },
    change: (id: string, what: string, token = alice) =>
      gateway.ask(`${path}/${id}/${what}`, { method: 'POST', token }),
    items: async (id: string, query = '') =>
      (await gateway.ask(`${path}/${id}/items${query}`)).json().items as unknown as ShownItem[],
    over: (id: string, token = alice) =>
      until(`the import ${id} to be over`, async () => {
        const shown = await show(id, token);
        return ['completed', 'cancelled', 'abandoned'].includes(shown.status) ? shown : undefined;
      }),
  };
}

export type BulkSite = Awaited<ReturnType<typeof bulkSite>>;

export interface ShownImport {
  readonly id: string;
  readonly status: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly attempt: number;
}

export interface ShownItem {
  readonly item: number;
  readonly name: string | null;
  readonly status: string;
  readonly image: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly bytes: number | null;
  readonly attempt: number | null;
}

/** Does what is asked of workers, each attempt once. */
async function fetcher(
  log: EventLog,
  pages: ReadonlyMap<string, Page>,
  fetched: string[],
  gate: { tickets: number },
  signal: AbortSignal,
): Promise<void> {
  const tell = pipeline(log);
  const takeTicket = (): boolean => {
    if (gate.tickets <= 0) return signal.aborted;
    gate.tickets -= 1;
    return true;
  };
  const work = async (recorded: RecordedEvent & ImageEvent): Promise<void> => {
    if (recorded.type !== 'ImportRequested' || recorded.data.method.name !== 'web-download') return;
    const imageId = recorded.streamId.slice('image-'.length);
    const { uploadId, method, stores } = recorded.data;
    await until('a ticket', takeTicket, { everyMs: 2 });
    const claim = { uploadId, epoch: 1 };
    await tell(imageId, { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'worker-test' });
    fetched.push(method.uri);
    const page = pages.get(method.uri) ?? { fails: 'source-gone' };
    if (!Buffer.isBuffer(page)) {
      const message = 'The source does not have it.';
      await tell(imageId, { type: 'FailIngest', ...claim, reason: page.fails, message });
      return;
    }
    const source = { etag: null, lastModified: null, verified: [] };
    await tell(imageId, { type: 'CompleteFetch', ...claim, size: page.length, source });
    const key = storeKey(imageId, uploadId, 1);
    await tell(imageId, {
      type: 'CompleteIngest',
      ...claim,
      result: {
        stored: stores.map((store) => ({ store, key })),
        digests: { md5: hex('md5', page), sha512: hex('sha512', page) },
        algorithm: 'sha512',
        detected: 'qcow2',
        virtualSize: page.length,
      },
    });
  };
  // Of an image that is deleted meanwhile, or an attempt that is over.
  for await (const batch of log.follow(0n, signal))
    for (const event of batch) work(event as RecordedEvent & ImageEvent).catch(() => {});
}

/** Of the gateway of a site. */
export const imageOf = async ({ ask }: TestGateway, id: string, token = alice) =>
  (await ask(`/v2/images/${id}`, { token })).json();
