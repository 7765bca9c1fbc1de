import { setTimeout as delay } from 'node:timers/promises';
import type { IngestResult } from '../../domain/image/commands.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import type { StagedReader } from '../../domain/staging.ts';
import {
  ObjectExists,
  type Store,
  StoreFull,
  StoreUnavailable,
  storeKey,
} from '../../domain/store.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type Claim, type Conclusions, Failed, type Targets } from './claim.ts';

const attempts = 3;
const pauseMs = 100;

/** Brings bytes to one store, under a key. Rejects with `Failed` when that cannot be. */
export type Put = (writer: Store, key: string, store: string) => Promise<void>;

/**
 * Brings bytes to each store that is to have them, one after the other, under the claim's own key, and says so of each,
 * of the last with the end of the attempt. Rejects with `Failed` when a store that must have them cannot, or when none can;
 * what was written by then is swept.
 */
export async function* spread(
  { stores, passStep }: { readonly stores: Stores; readonly passStep: PassStep },
  { imageId, uploadId, epoch }: Claim,
  { stores: targets, written, allStoresMustSucceed }: Targets,
  found: Omit<IngestResult, 'stored'>,
  put: Put,
  logger: Logger,
): Conclusions {
  const key = storeKey(imageId, uploadId, epoch);
  const concluded = (type: 'CompleteIngest' | 'RecordCopies', stored: IngestResult['stored']) =>
    ({ type, uploadId, epoch, result: { stored, ...found } }) as const;

  let copies = written.length;
  let left = targets.length;
  for (const store of targets) {
    left -= 1;
    const failure = await failed(store, async () => {
      const { writer } = stores.byId.get(store) ?? {};
      if (!writer) throw new Failed('store-unavailable', 'it is none that can be written to');
      await put(writer, key, store);
    });
    if (failure === undefined) {
      copies += 1;
      passStep('worker.data-promoted');
      yield concluded(left === 0 ? 'CompleteIngest' : 'RecordCopies', [{ store, key }]);
      if (left === 0) return;
      passStep('worker.copy-recorded');
      continue;
    }
    if (allStoresMustSucceed || (left === 0 && copies === 0)) throw failure;
    const { reason, message } = failure;
    logger.warn({ store, detail: message }, 'a store did not take an image');
    yield { type: 'RecordStoreFailure', uploadId, epoch, store, reason, message };
  }
  if (copies === 0) throw new Failed('store-unavailable', 'there is no store to write to');
  yield concluded('CompleteIngest', []);
}

/** Of what is a store's fault, the message says of which. */
async function failed(store: string, step: () => Promise<void>): Promise<Failed | undefined> {
  try {
    await step();
    return undefined;
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    const { reason, message } = error;
    const isOfStore = reason === 'store-full' || reason === 'store-unavailable';
    return isOfStore ? new Failed(reason, `store ${store}: ${message}`, error) : error;
  }
}

/** Puts what `open` gives under the key, with a few tries. `open` is asked anew for each; its readers are closed. */
export async function putInto(
  store: Pick<Store, 'promote' | 'remove'>,
  key: string,
  size: number,
  open: () => Promise<StagedReader>,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const reader = await open();
    try {
      await store.promote(reader, key, size, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StoreFull) throw new Failed('store-full', error.message);
      const known = error instanceof StoreUnavailable || error instanceof ObjectExists;
      if (!known) throw error;
      if (attempt === attempts) {
        logger.error({ err: error }, 'bytes could not be stored');
        throw new Failed('store-unavailable', 'the image could not be stored: try it again');
      }
      // Left by an attempt of this very claim that failed half way: nobody else writes the key, and nothing names it.
      if (error instanceof ObjectExists) await store.remove(key);
      logger.warn({ err: error, attempt }, 'bytes could not be stored; trying again');
      await delay(pauseMs * attempt, undefined, { signal });
    } finally {
      await reader.close();
    }
  }
}
