import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog } from '../../domain/event-log.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import type { Staging } from '../../domain/staging.ts';
import { copyName, type Store } from '../../domain/store.ts';
import type { ImportTokens } from '../../infra/import-tokens/tokens.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Images } from '../../projections/images/images.ts';
import type { HandleImage } from '../handle-image.ts';
import { originOf, streamOf, systemCommand } from './context.ts';
import { type Judge, judgeOf } from './garbage.ts';
import type { WorkerMetrics } from './metrics.ts';

/**
 * Removes bytes that nobody can name any more, by the word of the image's stream alone, read after the bytes were seen.
 * May run in any number of processes at once.
 */
export interface Sweeper {
  /** Sweeps an image in the background, soon; tried again until it works, with growing pauses. */
  soon(imageId: string): void;
  /** Sweeps what the image's own stream tells of. */
  sweepImage(imageId: string): Promise<void>;
  /** Sweeps everything that lies in staging and stores. What cannot be swept is left to the next scan. */
  scan(): Promise<void>;
  /** Resolves when nothing is being removed any more. */
  close(): Promise<void>;
}

export interface SweeperPorts {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly handle: HandleImage;
  readonly images: Pick<Images, 'namedKeys'>;
  readonly staging: Pick<Staging, 'list' | 'remove'>;
  readonly stores: Stores;
  readonly tokens: Pick<ImportTokens, 'list' | 'erase'>;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
  readonly passStep: PassStep;
}

interface Writable {
  readonly id: string;
  readonly writer: Pick<Store, 'list' | 'remove'>;
}

const keysAtOnce = 500;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

export function sweeper(ports: SweeperPorts): Sweeper {
  const { log, handle, images, staging, tokens, metrics, logger, passStep } = ports;
  const stores = ports.stores.all.flatMap(({ id, writer }): readonly Writable[] =>
    writer === null ? [] : [{ id, writer }],
  );
  const closing = new AbortController();
  const wanted = new Set<string>();
  /** Images that could not be swept, and how often. */
  const failures = new Map<string, number>();
  let sweeping: Promise<void> | undefined;
  /** What was reported as unknown once is not reported at each scan. */
  const reported = new Set<string>();

  const judge = async (imageId: string): Promise<Judge> =>
    judgeOf(imageId, (await log.readStream(streamOf(imageId))).events);

  const report = (what: string, name: string): void => {
    if (reported.has(name)) return;
    reported.add(name);
    logger.warn({ [what]: name }, 'these bytes are in no image: they are left alone');
  };

  const removeStaged = async (imageId: string, uploadId: string, by: Judge): Promise<void> => {
    const judgement = by.staged(uploadId);
    if (judgement === 'unknown') report('staged', `${imageId}/${uploadId}`);
    if (judgement === 'garbage') await staging.remove({ imageId, uploadId });
  };

  const removeStored = async ({ id, writer }: Writable, key: string, by: Judge): Promise<void> => {
    const judgement = by.stored(id, key);
    if (judgement === 'unknown') report('stored', copyName(id, key));
    if (judgement === 'garbage') await writer.remove(key);
  };

  /** Of an import that was refused after its token was kept, the log knows nothing. */
  const eraseToken = async (uploadId: string, by: Judge): Promise<void> => {
    if (by.staged(uploadId) !== 'needed') await tokens.erase(uploadId);
  };

  const recordRemoved = async (imageId: string): Promise<void> => {
    passStep('sweeper.data-removed');
    const origin = originOf((await log.readStream(streamOf(imageId))).events, null);
    const command: ImageCommand = { type: 'RecordDataRemoved' };
    const context = systemCommand(origin, imageId, 'RecordDataRemoved');
    await handle(streamOf(imageId), command, context, closing.signal);
  };

  const sweepImage = async (imageId: string): Promise<void> => {
    const by = await judge(imageId);
    for (const uploadId of by.uploads) await removeStaged(imageId, uploadId, by);
    for (const uploadId of by.withToken) await eraseToken(uploadId, by);
    // What these names are of need not be there: only a scan has seen what it reports.
    for (const { id, writer } of stores)
      for (const key of by.keys) if (by.stored(id, key) === 'garbage') await writer.remove(key);
    if (by.state.status === 'deleted' && !by.state.dataRemoved) await recordRemoved(imageId);
  };

  /** One object that cannot be removed, or an image that cannot be read, holds up nothing else. */
  const attempt = async (what: object, step: () => Promise<void>): Promise<void> => {
    if (closing.signal.aborted) return;
    try {
      await step();
    } catch (error) {
      if (closing.signal.aborted) return;
      logger.warn({ err: error, ...what }, 'could not be swept; the next scan tries again');
    }
  };

  const scanStaging = async (): Promise<void> => {
    const uploads = new Map<string, string[]>();
    for await (const { imageId, uploadId } of staging.list()) {
      if (closing.signal.aborted) return;
      uploads.set(imageId, [...(uploads.get(imageId) ?? []), uploadId]);
    }
    for (const [imageId, uploadIds] of uploads)
      await attempt({ imageId }, async () => {
        const by = await judge(imageId);
        for (const uploadId of uploadIds)
          await attempt({ imageId, uploadId }, async () => {
            await removeStaged(imageId, uploadId, by);
            if (by.staged(uploadId) === 'garbage') metrics.bytesSwept('staging');
          });
      });
  };

  const scanTokens = async (): Promise<void> => {
    for (const { imageId, uploadId } of await tokens.list())
      await attempt({ imageId, uploadId }, async () => eraseToken(uploadId, await judge(imageId)));
  };

  const sweepKeys = async (store: Writable, keys: readonly string[]): Promise<void> => {
    const named = await images.namedKeys(keys.map((key) => copyName(store.id, key)));
    const suspects = new Map<string, string[]>();
    for (const key of keys.filter((one) => !named.has(copyName(store.id, one)))) {
      const [imageId = ''] = key.split('/');
      suspects.set(imageId, [...(suspects.get(imageId) ?? []), key]);
    }
    for (const [imageId, ofImage] of suspects)
      await attempt({ imageId }, async () => {
        const by = await judge(imageId);
        for (const key of ofImage)
          await attempt({ key }, async () => {
            await removeStored(store, key, by);
            if (by.stored(store.id, key) === 'garbage') metrics.bytesSwept('store');
          });
      });
  };

  const scanStore = async (store: Writable): Promise<void> => {
    let keys: string[] = [];
    for await (const key of store.writer.list()) {
      if (closing.signal.aborted) return;
      keys.push(key);
      if (keys.length < keysAtOnce) continue;
      await sweepKeys(store, keys);
      keys = [];
    }
    if (keys.length > 0) await sweepKeys(store, keys);
  };

  const sweepWanted = async (): Promise<void> => {
    for (const imageId of wanted) {
      if (closing.signal.aborted) return;
      wanted.delete(imageId);
      try {
        await sweepImage(imageId);
        failures.delete(imageId);
      } catch (error) {
        if (closing.signal.aborted) return;
        logger.warn({ err: error, imageId }, 'an image could not be swept; trying again');
        wantAgain(imageId);
      }
    }
    // Not later: whoever wants something from here on must find nobody at work.
    sweeping = undefined;
  };

  const wantAgain = (imageId: string): void => {
    const times = failures.get(imageId) ?? 0;
    failures.set(imageId, times + 1);
    delay(Math.min(firstRetryMs * 2 ** times, longestRetryMs), undefined, {
      signal: closing.signal,
    }).then(
      () => soon(imageId),
      () => {}, // nothing is swept any more
    );
  };

  const soon = (imageId: string): void => {
    wanted.add(imageId);
    sweeping ??= sweepWanted();
  };

  return {
    soon,
    sweepImage,
    async scan() {
      await attempt({ what: 'staging' }, scanStaging);
      await attempt({ what: 'tokens' }, scanTokens);
      for (const store of stores) await attempt({ store: store.id }, () => scanStore(store));
    },
    async close() {
      closing.abort();
      await sweeping;
    },
  };
}
