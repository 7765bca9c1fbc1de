import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { EventLog, Metadata, NewEvent } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import type { Log } from '../../infra/postgres/log.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { visible } from '../../infra/read-model/visible.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import type { Daguerre } from '../support/daguerre.ts';
import { atConcurrency, percentiles } from './load.ts';

export interface LogFigures {
  /** From the append's acknowledgement to the read model's announcement, 16 writers at once. */
  readonly visibleP50Ms: number;
  readonly visibleP99Ms: number;
  readonly rebuiltEvents: number;
  readonly rebuildPerSecond: number;
}

const writers = 16;
const seedWriters = 256;
const patienceMs = 300_000;
const log: Log = { info() {}, warn() {}, error() {} };
const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

const metadata = (): Metadata => ({
  actor: { kind: 'user', userId: 'bench', projectId: 'bench', roles: ['member'] },
  requestId: `req-${randomUUID()}`,
  causationId: randomUUID(),
  correlationId: randomUUID(),
});

const attributes: Attributes = {
  name: 'bench',
  owner: 'bench',
  visibility: 'shared',
  protected: false,
  hidden: false,
  diskFormat: 'qcow2',
  containerFormat: 'bare',
  minDisk: 0,
  minRam: 0,
  tags: ['tiny'],
  properties: { hw_disk_bus: 'virtio', os_distro: 'debian' },
};

/** What happens to each image. */
export const life: readonly ImageEvent[] = [
  { type: 'ImageCreated', data: attributes },
  { type: 'VisibilityChanged', data: { from: 'shared', to: 'community' } },
  { type: 'TagAdded', data: { tag: 'old' } },
  { type: 'TagRemoved', data: { tag: 'tiny' } },
];

export const asNew = ({ type, data }: ImageEvent): NewEvent => ({
  id: randomUUID(),
  type,
  schemaVersion: 1,
  data: data as unknown as NewEvent['data'],
  metadata: metadata(),
});

/** Appends past the gateway, so that only log and read model are measured. */
export async function measureLog(
  daguerre: Daguerre,
  counts: { readonly appends: number; readonly images: number },
): Promise<LogFigures> {
  const events = await openEventLog(daguerre.postgresUrl, { log, upcast });
  const pool = postgresPool(daguerre.postgresUrl, { log, max: 2 });
  const models = [imagesProjection.name];
  const shown = visible(pool, daguerre.postgresUrl, { log, models });
  const append = (image: readonly ImageEvent[]): ReturnType<EventLog['append']> =>
    events.append(`image-${randomUUID()}`, image.map(asNew), -1);
  try {
    const waits: number[] = [];
    await atConcurrency(writers, counts.appends, async () => {
      const position = await append(life.slice(0, 1));
      const began = performance.now();
      await shown.waitFor(position, patienceMs);
      waits.push(performance.now() - began);
    });
    await atConcurrency(seedWriters, counts.images, () => append(life));
    await shown.waitFor(await events.head(), patienceMs);
    const { p50Ms, p99Ms } = percentiles(waits);
    return { visibleP50Ms: p50Ms, visibleP99Ms: p99Ms, ...(await rebuilt(daguerre)) };
  } finally {
    await shown.close();
    await events.close();
    await pool.end();
  }
}

/** As an operator does it, beside the running service; the figures are of the first of the models. */
export async function rebuilt(
  { dataDir }: Daguerre,
  models: readonly string[] = [],
): Promise<Pick<LogFigures, 'rebuiltEvents' | 'rebuildPerSecond'>> {
  const command = [cli, 'rebuild', ...models, '--data-dir', dataDir];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  const [, count, rate] = /rebuilt from (\d+) events, (\d+) a second/.exec(stdout) ?? [];
  if (count === undefined) throw new Error(`a rebuild that tells no figures: ${stdout}`);
  return { rebuiltEvents: Number(count), rebuildPerSecond: Number(rate) };
}
