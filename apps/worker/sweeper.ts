import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog } from '../../domain/event-log.ts';
import type { ImageCommand } from '../../domain/image/commands.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import type { Staging } from '../../domain/staging.ts';
import type { Store } from '../../domain/store.ts';
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
  /** Sweeps an image in the background, soon; tried again until it works. */
  soon(imageId: string): void;
  /** Sweeps what the image's own stream tells of. */
  sweepImage(imageId: string): Promise<void>;
  /** Sweeps everything that lies in staging and store. */
  scan(): Promise<void>;
  /** Resolves when nothing is being removed any more. */
  close(): Promise<void>;
}

export interface SweeperPorts {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly handle: HandleImage;
  readonly images: Pick<Images, 'namedKeys'>;
  readonly staging: Pick<Staging, 'list' | 'remove'>;
  readonly store: Pick<Store, 'list' | 'remove'>;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
  readonly passStep: PassStep;
}

const keysAtOnce = 500;
const retryMs = 1_000;

export function sweeper(ports: SweeperPorts): Sweeper {
  const { log, handle, images, staging, store, metrics, logger, passStep } = ports;
  const closing = new AbortController();
  const wanted = new Set<string>();
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

  const removeStored = async (key: string, by: Judge): Promise<void> => {
    const judgement = by.stored(key);
    if (judgement === 'unknown') report('stored', key);
    if (judgement === 'garbage') await store.remove(key);
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
    for (const key of by.keys) await removeStored(key, by);
    if (by.state.status === 'deleted' && !by.state.dataRemoved) await recordRemoved(imageId);
  };

  const scanStaging = async (): Promise<void> => {
    const uploads = new Map<string, string[]>();
    for await (const { imageId, uploadId } of staging.list())
      uploads.set(imageId, [...(uploads.get(imageId) ?? []), uploadId]);
    for (const [imageId, uploadIds] of uploads) {
      const by = await judge(imageId);
      for (const uploadId of uploadIds) {
        if (closing.signal.aborted) return;
        if (by.staged(uploadId) === 'garbage') metrics.bytesSwept('staging');
        await removeStaged(imageId, uploadId, by);
      }
    }
  };

  const sweepKeys = async (keys: readonly string[]): Promise<void> => {
    const named = await images.namedKeys(keys);
    const suspects = new Map<string, string[]>();
    for (const key of keys.filter((one) => !named.has(one))) {
      const [imageId = ''] = key.split('/');
      suspects.set(imageId, [...(suspects.get(imageId) ?? []), key]);
    }
    for (const [imageId, ofImage] of suspects) {
      const by = await judge(imageId);
      for (const key of ofImage) {
        if (closing.signal.aborted) return;
        if (by.stored(key) === 'garbage') metrics.bytesSwept('store');
        await removeStored(key, by);
      }
    }
  };

  const scanStore = async (): Promise<void> => {
    let keys: string[] = [];
    for await (const key of store.list()) {
      if (closing.signal.aborted) return;
      keys.push(key);
      if (keys.length < keysAtOnce) continue;
      await sweepKeys(keys);
      keys = [];
    }
    if (keys.length > 0) await sweepKeys(keys);
  };

  const sweepWanted = async (): Promise<void> => {
    for (const imageId of wanted) {
      if (closing.signal.aborted) return;
      wanted.delete(imageId);
      try {
        await sweepImage(imageId);
      } catch (error) {
        if (closing.signal.aborted) return;
        logger.warn({ err: error, imageId }, 'an image could not be swept; trying again');
        await delay(retryMs, undefined, { signal: closing.signal }).catch(() => {});
        wanted.add(imageId);
      }
    }
  };

  return {
    soon(imageId) {
      wanted.add(imageId);
      sweeping ??= sweepWanted().finally(() => {
        sweeping = undefined;
      });
    },
    sweepImage,
    async scan() {
      await scanStaging();
      await scanStore();
    },
    async close() {
      closing.abort();
      await sweeping;
    },
  };
}
