import { createHash, type Hash } from 'node:crypto';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import type { StagedReader } from '../../domain/staging.ts';
import {
  ObjectMissing,
  type Store,
  type StoredObject,
  StoreUnavailable,
} from '../../domain/store.ts';
import { UrlRefused } from '../../infra/net/address-guard.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { inReadOrder } from '../gateway/copies.ts';
import { type Claim, type Conclusions, type CopyTask, Failed } from './claim.ts';
import { type Meter, metered } from './meter.ts';
import { putInto, spread } from './promote.ts';

const chunkBytes = 1024 * 1024;

/**
 * The work on copies of an image that is active: from any of its places that can be read into each store, with nothing
 * staged. What is written counts only when the bytes that went there had the image's own digests; else it is removed, and
 * another place is tried.
 */
export function copyWork({ stores, passStep }: { stores: Stores; passStep: PassStep }) {
  return async function* work(
    claim: Claim,
    task: CopyTask,
    meter: Meter,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const { size, digests, algorithm, virtualSize } = task.content;
    meter.phase('storing', size * task.stores.length);
    const sources = inReadOrder(task.sources, stores);
    const half = once(() => passStep('worker.copy-half'));

    const put = async (writer: Store, key: string, store: string): Promise<void> => {
      for (const { store: from, key: at } of sources) {
        const told = (bytes: number): void => {
          meter.stored(store, bytes);
          if (bytes >= size / 2) half();
        };
        let source: CheckedReader | undefined;
        const open = async (): Promise<StagedReader> => {
          source = undefined;
          const reader = stores.byId.get(from)?.reader;
          if (reader === undefined) throw new StoreUnavailable('it is not configured', undefined);
          source = checked(await openWhole(reader, at, size), digests);
          return metered(source, told);
        };
        const checking: Pick<Store, 'promote' | 'remove'> = {
          remove: writer.remove,
          async promote(...promotion) {
            await writer.promote(...promotion);
            if (!(await source?.isRight())) throw new Damaged();
          },
        };
        try {
          await putInto(checking, key, size, open, logger, signal);
          return;
        } catch (error) {
          signal.throwIfAborted();
          const isDamaged = error instanceof Damaged;
          // What could be read and not be written is the other store's fault.
          if (!isDamaged && source !== undefined && source.fault === undefined) throw error;
          if (!isDamaged && source === undefined && !isOfStore(error)) throw error;
          logger.error({ err: source?.fault ?? error, from }, 'a copy of an image cannot be read');
          if (isDamaged) await writer.remove(key);
        }
      }
      throw new Failed('copies-unusable', 'no copy of the image can be read as it should be');
    };
    const found = {
      digests,
      algorithm: algorithm ?? hashAlgorithm,
      detected: null,
      virtualSize,
    };
    yield* spread({ stores, passStep }, claim, task, found, put, logger);
  };
}

async function openWhole(
  reader: Pick<Store, 'open'>,
  key: string,
  size: number,
): Promise<StoredObject> {
  const object = await reader.open(key);
  if (object.size === size) return object;
  await object.close();
  throw new StoreUnavailable(`${object.size} bytes are there instead of ${size}`, undefined);
}

class Damaged extends Error {
  constructor() {
    super('the bytes are not those that the image had');
  }
}

interface CheckedReader extends StagedReader {
  /** What went wrong when it was read. */
  readonly fault: unknown;
  /** Whether what was read, all of it, is what it should be; what was not read, or not in order, is read for it. */
  isRight(): Promise<boolean>;
}

/** Reads a stored object as if it were staged, and hashes it meanwhile. */
function checked(object: StoredObject, digests: Readonly<Record<string, string>>): CheckedReader {
  const hashes = (digests[hashAlgorithm] === undefined ? ['md5'] : [hashAlgorithm])
    .filter((name) => digests[name] !== undefined)
    .map((name): [string, Hash] => [name, createHash(name)]);
  let hashed = 0;
  let fault: unknown;
  const read = async (into: Uint8Array, offset: number): Promise<number> => {
    try {
      const count = await object.read(into, offset);
      if (offset > hashed || offset + count <= hashed) return count;
      const news = into.subarray(hashed - offset, count);
      for (const [, hash] of hashes) hash.update(news);
      hashed += news.length;
      return count;
    } catch (error) {
      fault = error;
      throw error;
    }
  };
  return {
    path: null,
    get fault() {
      return fault;
    },
    watermark: async () => object.size,
    read,
    close: () => object.close(),
    async isRight() {
      const rest = new Uint8Array(Math.min(chunkBytes, object.size - hashed));
      while (hashed < object.size && (await read(rest, hashed)) > 0);
      return hashes.every(([name, hash]) => hash.digest('hex') === digests[name]);
    },
  };
}

const isOfStore = (error: unknown): boolean =>
  error instanceof ObjectMissing ||
  error instanceof StoreUnavailable ||
  error instanceof UrlRefused;

function once(step: () => void): () => void {
  let done = false;
  return () => {
    if (!done) step();
    done = true;
  };
}
