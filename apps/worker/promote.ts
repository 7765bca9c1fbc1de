import { setTimeout as delay } from 'node:timers/promises';
import type { Staging } from '../../domain/staging.ts';
import {
  ObjectExists,
  type Store,
  StoreFull,
  StoreUnavailable,
  storeKey,
} from '../../domain/store.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type Claim, Failed, type StagedTask } from './claim.ts';

/** One copy that is durable. */
export interface Copy {
  readonly store: string;
  readonly key: string;
}

const attempts = 3;
const pauseMs = 100;

/**
 * Puts staged bytes into each store that they are meant for, one after the other, under the claim's own key. Rejects
 * with `Failed` when a store that must have them cannot, or when none can; what was written by then is swept.
 */
export async function promote(
  { staging, stores }: { readonly staging: Staging; readonly stores: Stores },
  claim: Claim,
  task: StagedTask,
  logger: Logger,
  signal: AbortSignal,
): Promise<readonly Copy[]> {
  const key = storeKey(claim.imageId, claim.uploadId, claim.epoch);
  const copies: Copy[] = [];
  let failure: Failed | undefined;
  for (const store of task.stores)
    try {
      const { writer } = stores.byId.get(store) ?? {};
      if (!writer) throw new Failed('store-unavailable', `there is no store ${store} to write to`);
      await put(writer, { staging, claim, key, size: task.size }, logger, signal);
      copies.push({ store, key });
    } catch (error) {
      if (!(error instanceof Failed) || task.allStoresMustSucceed) throw error;
      logger.warn({ store, detail: error.message }, 'a store did not take an image');
      failure = error;
    }
  if (copies.length === 0 && failure !== undefined) throw failure;
  return copies;
}

interface Put {
  readonly staging: Staging;
  readonly claim: Claim;
  readonly key: string;
  readonly size: number;
}

async function put(
  store: Store,
  { staging, claim, key, size }: Put,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const reader = await staging.open(claim);
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
        throw new Failed('store-unavailable', 'the image could not be stored: upload it again');
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
