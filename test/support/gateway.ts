import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AppPorts, app } from '../../apps/gateway/app.ts';
import { gatewayServer } from '../../apps/gateway/server.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { identityNone } from '../../infra/identity/none/identity.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { processMetrics } from '../../infra/telemetry/metrics.ts';
import { memoryImages } from './gateway-images.ts';
import { type Answer, type Asked, ask } from './http.ts';

/** Tokens of three callers; each `member` sees only its own project's and what is shared with everybody. */
export const admin = 'root:operations:admin';
export const alice = 'alice:red:member';
export const bob = 'bob:blue:member';
export const reader = 'rita:red:reader';

export interface TestGateway {
  readonly url: string;
  readonly dataDir: string;
  readonly ports: AppPorts;
  /** A request with a token; alice's where none is named. */
  ask(path: string, asked?: Asked & { readonly token?: string }): Promise<Answer>;
  /** The same with a JSON body. */
  send(method: string, path: string, document: unknown, token?: string): Promise<Answer>;
  patch(path: string, operations: unknown, token?: string): Promise<Answer>;
  /** Creates an image and gives its id. */
  create(document?: object, token?: string): Promise<string>;
}

/** The whole API over memory adapters, on a port of its own until the test ends. */
export async function startGateway(
  t: TestContext,
  change: (ports: AppPorts) => AppPorts = (ports) => ports,
): Promise<TestGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-gateway-'));
  const log = memoryEventLog({ upcast });
  const images = memoryImages(log);
  const quiet = logger('gateway', 'silent');
  const ports = change({
    log,
    images,
    visible: images,
    personal: { remember: async () => 'hash' },
    identity: identityNone('admin:default:admin'),
    logger: quiet,
    metrics: processMetrics('gateway'),
    dataDir,
    publicEndpoint: undefined,
    importMethods: [],
  });
  const server = gatewayServer(app(ports).callback(), quiet);
  const port = await server.listen(0, '127.0.0.1');
  t.after(async () => {
    await server.stop(0, () => {});
    await log.close();
    await rm(dataDir, { recursive: true });
  });
  const url = `http://127.0.0.1:${port}`;

  const request: TestGateway['ask'] = (path, { token = alice, headers, ...asked } = {}) =>
    ask(url, path, { ...asked, headers: { 'X-Auth-Token': token, ...headers } });
  const send: TestGateway['send'] = (method, path, document, token = alice) =>
    request(path, { method, token, body: JSON.stringify(document) });
  return {
    url,
    dataDir,
    ports,
    ask: request,
    send,
    patch: (path, operations, token = alice) =>
      request(path, {
        method: 'PATCH',
        token,
        headers: { 'Content-Type': 'application/openstack-images-v2.1-json-patch' },
        body: JSON.stringify(operations),
      }),
    async create(document = {}, token = alice) {
      const created = await send('POST', '/v2/images', document, token);
      if (created.status !== 201) throw new Error(`not created: ${created.status} ${created.text}`);
      return String(created.json().id);
    },
  };
}
