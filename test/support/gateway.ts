import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AppPorts, app } from '../../apps/gateway/app.ts';
import { recordDownloads } from '../../apps/gateway/downloads/record.ts';
import { recordingSwitches } from '../../apps/gateway/downloads/switches.ts';
import { usualPace } from '../../apps/gateway/events/stream.ts';
import { usualHouseRules } from '../../apps/gateway/house-rules.ts';
import { logTail } from '../../apps/gateway/log-tail.ts';
import { defaultBounds, recordRefusals } from '../../apps/gateway/refusals.ts';
import { gatewayServer } from '../../apps/gateway/server.ts';
import { auditAccess } from '../../domain/audit/access.ts';
import { bulkAccess } from '../../domain/bulk/access.ts';
import { historyAccess } from '../../domain/history/access.ts';
import { access } from '../../domain/image/access.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { metadefAccess } from '../../domain/metadef/access.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import type { StagedKey, Staging } from '../../domain/staging.ts';
import type { Store } from '../../domain/store.ts';
import { webhookAccess } from '../../domain/webhook/access.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { identityNone } from '../../infra/identity/none/identity.ts';
import { addressGuard } from '../../infra/net/address-guard.ts';
import { noProgress } from '../../infra/progress/progress.ts';
import { memoryStaging } from '../../infra/staging/memory.ts';
import { memoryStore } from '../../infra/store/memory.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { memoryProgress } from '../../infra/webhooks/memory.ts';
import { webhookPoster } from '../../infra/webhooks/post.ts';
import { memoryVault } from '../../infra/webhooks/vault.ts';
import { unsignedAudit } from './gateway-audit.ts';
import { memoryBulk } from './gateway-bulk.ts';
import { memoryDownloads } from './gateway-downloads.ts';
import { memoryEvents } from './gateway-events.ts';
import { memoryHistory, memoryPast } from './gateway-history.ts';
import { memoryImages } from './gateway-images.ts';
import { memoryMetadefs } from './gateway-metadefs.ts';
import { memoryTasks } from './gateway-tasks.ts';
import { memoryWebhooks } from './gateway-webhooks.ts';
import { eagerWorker } from './gateway-worker.ts';
import { type Answer, type Asked, ask } from './http.ts';
import { writableStore } from './stores.ts';
import { decidedLog } from './told-outside.ts';

/** Tokens of three callers; each `member` sees only its own project's and what is shared with everybody. */
export const admin = 'root:operations:admin';
export const alice = 'alice:red:member';
export const bob = 'bob:blue:member';
export const reader = 'rita:red:reader';

export interface TestGateway {
  readonly url: string;
  readonly dataDir: string;
  readonly ports: AppPorts;
  readonly staging: Staging;
  readonly store: Store;
  /** Stops the server as the process does. */
  stop(graceMs: number): Promise<void>;
  /** A request with a token; alice's where none is named. */
  ask(path: string, asked?: Asked & { readonly token?: string }): Promise<Answer>;
  /** The same with a JSON body. */
  send(method: string, path: string, document: unknown, token?: string): Promise<Answer>;
  patch(path: string, operations: unknown, token?: string): Promise<Answer>;
  /** Creates an image and gives its id. */
  create(document?: object, token?: string): Promise<string>;
  /** Types of the image's events, oldest first. */
  events(id: string): Promise<readonly string[]>;
  /** Keys of everything that lies in staging. */
  staged(): Promise<readonly StagedKey[]>;
  upload(id: string, body?: Uint8Array, headers?: Record<string, string>): Promise<Answer>;
  /** Creates a raw image and uploads its bytes. */
  createActive(bytes: Uint8Array, document?: object): Promise<string>;
}

export const rawFormat = { disk_format: 'raw', container_format: 'bare' };
export const octets = { 'Content-Type': 'application/octet-stream' };

export interface GatewayOptions {
  readonly change?: (ports: AppPorts) => AppPorts;
  /** Whether staged uploads become active by themselves; default true. */
  readonly worker?: boolean;
}

/** A test that lets webhooks be told anything names where they may be. */
const nowhere = {
  allowedHosts: [],
  disallowedHosts: [],
  allowedPorts: [443],
  disallowedPorts: [],
  allowedCidrs: [],
  disallowedCidrs: [],
};

/** The whole API over memory adapters, on a port of its own until the test ends. */
export async function startGateway(
  t: TestContext,
  { change = (ports) => ports, worker = true }: GatewayOptions = {},
): Promise<TestGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-gateway-'));
  const log = decidedLog(memoryEventLog({ upcast }));
  const images = memoryImages(log);
  const events = memoryEvents(log);
  const quiet = logger('gateway', 'silent');
  const staging = memoryStaging();
  const store = memoryStore();
  const poster = webhookPoster({
    guard: addressGuard(nowhere),
    allowHttp: false,
    timeoutMs: 5_000,
  });
  const ending = new AbortController();
  const personal = { remember: async () => 'hash' };
  const refusals = recordRefusals({
    writer: `gateway-${randomUUID()}`,
    log,
    personal,
    logger: quiet,
    now: () => new Date(),
    windowMs: 60_000,
    bounds: defaultBounds,
  });
  const switches = recordingSwitches({ log, isOnByDefault: true, isCurrent: () => false });
  const downloads = recordDownloads({
    ...{ log, personal, switches, logger: quiet },
    writer: `gateway-${randomUUID()}`,
    now: () => new Date(),
  });
  const ports = change({
    ...usualHouseRules,
    log,
    stores: storesFrom([writableStore('file', store)], 'file'),
    showing: { locations: false, directUrl: false },
    uploads: {
      tail: await logTail(log, ending.signal),
      staging,
      owner: 'gateway-test',
      isDead: () => false,
      sizeCap: 64 * 1024 * 1024,
      patience: { unownedMs: 60_000, lookEveryMs: 10 },
      passStep: () => {},
    },
    images,
    metadefs: memoryMetadefs(log),
    tasks: memoryTasks(log),
    visible: images,
    personal,
    refusals,
    identity: identityNone('admin:default:admin'),
    access: access(parsePolicy(null)),
    metadefAccess: metadefAccess(parsePolicy(null)),
    logger: quiet,
    metrics: processMetrics('gateway'),
    metricsOfOthers: async () => [],
    events: { facts: events, visible: events, region: 'RegionOne', pace: usualPace },
    webhooks: {
      registered: memoryWebhooks(log),
      visible: images,
      access: webhookAccess(parsePolicy(null)),
      vault: memoryVault(),
      poster,
      progress: memoryProgress(),
      quota: 20,
    },
    history: {
      changes: memoryHistory(log),
      past: memoryPast(log),
      visible: images,
      people: { behind: async () => new Map() },
      access: historyAccess(parsePolicy(null)),
    },
    downloads: {
      recorder: downloads,
      switches,
      records: memoryDownloads(log),
      visible: images,
      isDead: () => false,
    },
    bulk: {
      imports: memoryBulk(log),
      visible: images,
      access: bulkAccess(parsePolicy(null)),
    },
    audit: { ...unsignedAudit(log), access: auditAccess(parsePolicy(null)) },
    dataDir,
    publicEndpoint: undefined,
    importMethods: [],
    urls: addressGuard({ ...nowhere, allowedPorts: [80, 443] }),
    progress: noProgress,
  });
  const { handle, uploads, streams } = app(ports);
  const server = gatewayServer(handle, quiet);
  // The worker keeps its own way to the usual store, whatever a test makes of the gateway's.
  const writerOf = (id: string): Store =>
    id === 'file' ? store : (ports.stores.byId.get(id)?.writer ?? store);
  const working = worker ? eagerWorker({ log, staging, writerOf }, ending.signal) : undefined;
  const port = await server.listen(0, '127.0.0.1');
  const stop = (graceMs: number) => {
    streams.stop();
    return server.stop(graceMs, uploads.stop);
  };
  t.after(async () => {
    await stop(0);
    await downloads.stop();
    await refusals.stop();
    ending.abort();
    await working;
    await log.close();
    poster.close();
    await rm(dataDir, { recursive: true });
  });
  const url = `http://127.0.0.1:${port}`;

  const request: TestGateway['ask'] = (path, { token = alice, headers, ...asked } = {}) =>
    ask(url, path, { ...asked, headers: { 'X-Auth-Token': token, ...headers } });
  const send: TestGateway['send'] = (method, path, document, token = alice) =>
    request(path, { method, token, body: JSON.stringify(document) });
  const create: TestGateway['create'] = async (document = {}, token = alice) => {
    const created = await send('POST', '/v2/images', document, token);
    if (created.status !== 201) throw new Error(`not created: ${created.status} ${created.text}`);
    return String(created.json().id);
  };
  return {
    url,
    dataDir,
    ports,
    staging,
    store,
    stop,
    ask: request,
    send,
    patch: (path, operations, token = alice) =>
      request(path, {
        method: 'PATCH',
        token,
        headers: { 'Content-Type': 'application/openstack-images-v2.1-json-patch' },
        body: JSON.stringify(operations),
      }),
    create,
    async events(id) {
      return (await log.readStream(`image-${id}`)).events.map(({ type }) => type);
    },
    async staged() {
      const keys: StagedKey[] = [];
      for await (const key of staging.list()) keys.push(key);
      return keys;
    },
    upload: (id, body, headers = {}) =>
      request(`/v2/images/${id}/file`, {
        method: 'PUT',
        headers: { ...octets, ...headers },
        ...(body === undefined ? {} : { body }),
      }),
    async createActive(bytes, document = {}) {
      const id = await create({ ...rawFormat, ...document });
      const put = { method: 'PUT', headers: octets, body: bytes };
      const uploaded = await request(`/v2/images/${id}/file`, put);
      if (uploaded.status !== 204) throw new Error(`not uploaded: ${uploaded.text}`);
      return id;
    },
  };
}

/** Options that change how uploads are received. */
export const withUploads = (change: Partial<AppPorts['uploads']>): GatewayOptions => ({
  change: (ports) => ({ ...ports, uploads: { ...ports.uploads, ...change } }),
});
