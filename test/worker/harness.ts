import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { handleImage } from '../../apps/handle-image.ts';
import { freeRoom } from '../../apps/worker/fetch.ts';
import { anyGrowth } from '../../apps/worker/fetch-room.ts';
import type { WorkerMetrics } from '../../apps/worker/metrics.ts';
import { runWorker, type WorkerPorts } from '../../apps/worker/worker.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { evolve } from '../../domain/image/evolve.ts';
import { absent, type Image, ownCopies, ownKeys, uploadOf } from '../../domain/image/state.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { copyName, type Store } from '../../domain/store.ts';
import { type DigestThreads, digestThreads } from '../../infra/digests/digest-threads.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { memoryImportTokens } from '../../infra/import-tokens/tokens.ts';
import type { JobQueue } from '../../infra/jobs/job-queue.ts';
import { memoryJobQueue } from '../../infra/jobs/memory.ts';
import { noProgress } from '../../infra/progress/progress.ts';
import { filesystemStaging } from '../../infra/staging/filesystem.ts';
import { filesystemStore } from '../../infra/store/filesystem.ts';
import { storesFrom } from '../../infra/store/stores.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import type { Work } from '../../projections/images/record.ts';
import { collected } from '../support/collected.ts';
import { writableStore } from '../support/stores.ts';
import { decidedLog } from '../support/told-outside.ts';
import { until } from '../support/until.ts';

export const never = new AbortController().signal;
export const silent = logger('test', 'silent');
export const noMetrics: WorkerMetrics = {
  ingestEnded() {},
  tookOver() {},
  jobIssued() {},
  bytesSwept() {},
};

let sharedThreads: DigestThreads | undefined;
export const testThreads = (): DigestThreads => {
  sharedThreads ??= digestThreads({ count: 2 });
  return sharedThreads;
};
after(() => sharedThreads?.close());

/** Where nothing can be fetched. */
export const noDownloads: WorkerPorts['downloads'] = {
  fetcher: {
    fetch: () => Promise.reject(new Error('nothing can be fetched here')),
    describe: async () => ({ expected: null }),
  },
  roomFor: async () => freeRoom,
  sizeCap: 1024 ** 4,
};

export const caller = { userId: 'alice', projectId: 'demo', roles: ['admin', 'member', 'reader'] };

export interface Uploading {
  readonly imageId: string;
  readonly uploadId: string;
}

export interface StartedWorker {
  readonly owner: string;
  /** As on SIGTERM. */
  stop(): Promise<void>;
}

/** The pipeline over a log in memory and real files, with the test in the part of the gateway. */
export async function pipeline(given: { log?: EventLog; root?: string } = {}) {
  const log = given.log ?? decidedLog(memoryEventLog({ upcast }));
  const root = given.root ?? (await mkdtemp(join(tmpdir(), 'daguerre-worker-')));
  const stagingDirectory = join(root, 'staging');
  const storeDirectory = join(root, 'store');
  const staging = filesystemStaging(stagingDirectory);
  const store = filesystemStore(storeDirectory);
  const queue = memoryJobQueue();
  const handle = handleImage(log);
  const dead = new Set<string>();
  const living = new Set<string>();
  const workers = new Set<StartedWorker>();
  let dispatcher: string | undefined;
  after(async () => {
    await Promise.all([...workers].map((worker) => worker.stop()));
    await rm(root, { recursive: true, force: true });
  });

  const events = async (imageId: string): Promise<readonly RecordedEvent[]> =>
    (await log.readStream(`image-${imageId}`)).events;
  const stateOf = async (imageId: string): Promise<Image> =>
    ((await events(imageId)) as unknown as readonly ImageEvent[]).reduce(evolve, absent);
  const command = async (imageId: string, asked: ImageCommand): Promise<Image> => {
    const requestId = `req-${randomUUID()}`;
    const context = {
      commandId: randomUUID(),
      metadata: {
        actor: { kind: 'user', ...caller },
        requestId,
        correlationId: requestId,
      },
    } as const;
    return (await handle(`image-${imageId}`, asked, context, never)).state;
  };

  const begin = async (
    diskFormat = 'raw',
    {
      declaredSize = null,
      owner = 'gateway-1',
      imageId = randomUUID(),
      purpose = 'BeginUpload',
    }: {
      declaredSize?: number | null;
      owner?: string;
      imageId?: string;
      purpose?: 'BeginUpload' | 'BeginStaging';
    } = {},
  ): Promise<Uploading> => {
    const uploadId = randomUUID();
    if ((await stateOf(imageId)).status === 'absent')
      await command(imageId, {
        type: 'CreateImage',
        caller,
        attributes: { ...attributes, diskFormat },
      });
    await command(imageId, {
      type: purpose,
      caller,
      uploadId,
      owner,
      declaredSize,
      store: 'file',
    });
    return { imageId, uploadId };
  };

  const complete = ({ imageId, uploadId }: Uploading, size: number): Promise<Image> =>
    command(imageId, { type: 'CompleteUpload', uploadId, size });

  const stage = async (key: Uploading, bytes: Uint8Array): Promise<void> => {
    const writer = await staging.create(key);
    await writer.write([bytes]);
    await writer.seal();
  };

  return {
    log,
    handle,
    staging,
    store,
    stagingDirectory,
    storeDirectory,
    queue,
    /** Owners whose heartbeat stands still. */
    dead,
    events,
    stateOf,
    command,
    begin,
    stage,
    complete,
    /** Everything that a gateway does, at once. */
    async upload(bytes: Uint8Array, diskFormat = 'raw'): Promise<Uploading> {
      const key = await begin(diskFormat, { declaredSize: bytes.length });
      await stage(key, bytes);
      await complete(key, bytes.length);
      return key;
    },
    /** The same for what waits for an import. */
    async uploadToStage(bytes: Uint8Array, diskFormat = 'raw'): Promise<Uploading> {
      const key = await begin(diskFormat, { purpose: 'BeginStaging' });
      await stage(key, bytes);
      await complete(key, bytes.length);
      return key;
    },
    requestImport: ({ imageId }: Uploading, stores: readonly string[] = ['file']) =>
      command(imageId, {
        type: 'RequestImport',
        caller,
        uploadId: randomUUID(),
        method: { name: 'glance-direct' },
        stores,
        allStoresMustSucceed: true,
      }),
    deleteImage: (imageId: string, keepUntil?: Date) =>
      command(imageId, {
        type: 'DeleteImage',
        caller,
        ...(keepUntil === undefined ? {} : { keepUntil: keepUntil.toISOString() }),
      }),
    images: imagesOf(log),

    startWorker(
      overrides: Partial<WorkerPorts> & {
        /** In place of the store `file`. */
        store?: Store;
        slots?: number;
        sweepIntervalMs?: number;
        stagingTimeoutMs?: number;
        wallClock?: () => number;
      } = {},
    ): StartedWorker {
      const {
        slots = 4,
        sweepIntervalMs = 60_000,
        stagingTimeoutMs = 3_600_000,
        wallClock = Date.now,
        store: only = store,
        ...ports
      } = overrides;
      const owner = ports.owner ?? `worker-${randomUUID()}`;
      living.add(owner);
      const stopping = new AbortController();
      const running = runWorker(
        {
          log,
          images: imagesOf(log),
          queue: ports.queue ?? (queue as JobQueue),
          staging,
          stores: storesFrom([writableStore('file', only)], 'file'),
          downloads: noDownloads,
          progress: noProgress,
          tokens: memoryImportTokens(),
          plugins: [],
          growthFor: anyGrowth,
          locations: { secureHash: true, tries: 3, pauseMs: 5, sizeCap: 1024 ** 4 },
          threads: testThreads(),
          watch: {
            isDead: (one) => dead.has(one),
            living: () => [...living].filter((one) => !dead.has(one)),
            stop: async () => {},
          },
          dispatcherLease: {
            tryHold: async () => {
              if (dispatcher === undefined || dead.has(dispatcher)) dispatcher = owner;
              return dispatcher === owner;
            },
            release: async () => {
              if (dispatcher === owner) dispatcher = undefined;
            },
          },
          metrics: noMetrics,
          logger: silent,
          passStep: () => {},
          ...ports,
          owner,
        },
        {
          slots,
          sweepIntervalMs,
          stagingTimeoutMs,
          wallClock,
          reconcileIntervalMs: 50,
          leaseIntervalMs: 20,
          patienceMs: 200,
        },
        stopping.signal,
      );
      const worker: StartedWorker = {
        owner,
        async stop() {
          stopping.abort();
          workers.delete(worker);
          living.delete(owner);
          await running;
        },
      };
      workers.add(worker);
      return worker;
    },

    /** Resolves with the state when it is `status`. */
    async reached(imageId: string, status: Image['status']): Promise<Image> {
      return until(`image ${imageId} to be ${status}`, async () => {
        const state = await stateOf(imageId);
        return state.status === status ? state : undefined;
      });
    },

    async stored(imageId: string): Promise<Buffer> {
      const state = await stateOf(imageId);
      if (!('content' in state)) throw new Error(`image ${imageId} is ${state.status}`);
      return bytesOf(store, ownKeys(state)[0] ?? '');
    },

    /** Resolves when neither staging nor store holds more than `keys`. */
    async onlyLeft(keys: readonly string[] = []): Promise<void> {
      await until(`nothing but ${keys.length} objects to be left`, async () => {
        const staged = await collected(staging.list());
        const stored = await collected(store.list());
        return staged.length === 0 && [...stored].sort().join() === [...keys].sort().join();
      });
    },
  };
}

export type Pipeline = Awaited<ReturnType<typeof pipeline>>;

export async function bytesOf(store: Store, key: string): Promise<Buffer> {
  const object = await store.open(key);
  const bytes = Buffer.alloc(object.size);
  await object.read(bytes, 0);
  await object.close();
  return bytes;
}

export const hashOf = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');

export const typesOf = (events: readonly RecordedEvent[]): readonly string[] =>
  events.map(({ type }) => type);

/** A point that everybody who comes by waits at until it opens. */
export function gate() {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  let reached = 0;
  return {
    open,
    get reached() {
      return reached;
    },
    pass: (): Promise<void> => {
      reached += 1;
      return opened;
    },
  };
}

/** A store whose promotions wait at a gate, after the bytes are there. */
export const gatedStore = (store: Store, at: ReturnType<typeof gate>): Store => ({
  ...store,
  async promote(...promotion) {
    await store.promote(...promotion);
    await at.pass();
  },
});

export const attributes = {
  name: 'test',
  owner: 'demo',
  visibility: 'private',
  protected: false,
  hidden: false,
  diskFormat: 'raw',
  containerFormat: 'bare',
  minDisk: 0,
  minRam: 0,
  tags: [],
  properties: {},
} as const;

/** The read model's answers, folded from the log at each question. */
function imagesOf(log: EventLog): WorkerPorts['images'] {
  const streams = async (): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> => {
    const found = new Map<string, RecordedEvent[]>();
    for (const event of await log.readAll(0n, 1_000_000))
      found.set(event.streamId, [...(found.get(event.streamId) ?? []), event]);
    return found;
  };
  return {
    async openWork() {
      return [...(await streams())].flatMap(([streamId, events]) => workOf(streamId, events));
    },
    async namedKeys(keys) {
      const named = new Set<string>();
      for (const events of (await streams()).values()) {
        const state = (events as unknown as readonly ImageEvent[]).reduce(evolve, absent);
        for (const { store, key } of ownCopies(state))
          if (keys.includes(copyName(store, key))) named.add(copyName(store, key));
      }
      return named;
    },
  };
}

function workOf(streamId: string, events: readonly RecordedEvent[]): readonly Work[] {
  const state = (events as unknown as readonly ImageEvent[]).reduce(evolve, absent);
  const last = events.at(-1);
  if (last === undefined) return [];
  const common = {
    imageId: streamId.slice('image-'.length),
    position: last.position,
    since: last.recordedAt,
    due: null,
    correlationId: last.metadata.correlationId,
  };
  if (state.status === 'deleted')
    return state.dataRemoved
      ? []
      : [{ ...common, kind: 'remove', uploadId: null, owner: null, epoch: 0 }];
  if (state.status === 'pending_delete')
    return [
      {
        ...common,
        kind: 'scrub',
        uploadId: null,
        owner: null,
        epoch: 0,
        due: new Date(state.dueAt),
      },
    ];
  const upload = uploadOf(state);
  if (upload === null) return [];
  const { uploadId, owner, stagedSize, claimedBy, epoch, method } = upload;
  if (method !== null || (state.status === 'saving' && stagedSize !== null))
    return [{ ...common, kind: 'ingest', uploadId, owner: claimedBy, epoch }];
  return stagedSize === null
    ? [{ ...common, kind: 'receive', uploadId, owner, epoch: 0 }]
    : [{ ...common, kind: 'stage', uploadId, owner: null, epoch: 0 }];
}

/** Names in a directory, or none where it is not there. */
export const namesIn = (directory: string): Promise<readonly string[]> =>
  readdir(directory).catch(() => []);
