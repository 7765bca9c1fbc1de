import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Digests } from '../../domain/image/events.ts';
import { hashAlgorithm } from '../../domain/image/validation.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { ObjectMissing, type StoredObject, StoreUnavailable } from '../../domain/store.ts';
import { UrlRefused } from '../../infra/net/address-guard.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import { type Claim, type Conclusions, Failed, type LocationTask } from './claim.ts';
import { orAborted } from './or-aborted.ts';

/** How locations are looked at. */
export interface LocationRules {
  /** Whether their bytes are read and hashed; else what the client says of them is believed. */
  readonly secureHash: boolean;
  /** How often they are tried before they are given up. */
  readonly tries: number;
  readonly pauseMs: number;
  /** Bytes. */
  readonly sizeCap: number;
}

const chunkBytes = 1024 * 1024;

/**
 * The work on a location, which may be cut short anywhere and be begun again from the log:
 *
 *     to be checked    look, hash, compare ──▶ CompleteLocation with digests   (else FailIngest: queued again)
 *     not to be        look ──▶ CompleteLocation, active from here on ──▶ hash ──▶ RecordDigests
 *                                                       (else FailIngest: it stays active, without digests)
 */
export function locationWork({
  stores,
  rules,
  passStep,
}: {
  readonly stores: Stores;
  readonly rules: LocationRules;
  readonly passStep: PassStep;
}) {
  /** Tries again what may be better later. */
  const tried = async <T>(
    logger: Logger,
    signal: AbortSignal,
    step: () => Promise<T>,
  ): Promise<T> => {
    for (let attempt = 1; ; attempt++)
      try {
        return await orAborted(step(), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof UrlRefused || error instanceof ObjectMissing)
          throw unusable(error.message, error);
        if (!(error instanceof StoreUnavailable)) throw error;
        if (attempt >= rules.tries) throw unusable(error.message, error);
        logger.warn({ err: error, attempt }, 'a location could not be read; trying again');
        await delay(rules.pauseMs * attempt, undefined, { signal });
      }
  };

  const opened = async <T>(
    { method }: LocationTask,
    signal: AbortSignal,
    use: (object: StoredObject) => Promise<T>,
  ): Promise<T> => {
    const store = stores.byId.get(method.store);
    if (store === undefined) throw unusable(`the store ${method.store} is not configured`);
    const object = await store.reader.open(method.url);
    // A read that is under way ends then, too.
    const close = (): void => void object.close().catch(() => {});
    signal.addEventListener('abort', close, { once: true });
    try {
      signal.throwIfAborted();
      return await use(object);
    } finally {
      signal.removeEventListener('abort', close);
      await object.close();
    }
  };

  return async function* work(
    { uploadId, epoch }: Claim,
    task: LocationTask,
    logger: Logger,
    signal: AbortSignal,
  ): Conclusions {
    const { validation } = task.method;
    const algorithm = validation?.algorithm ?? hashAlgorithm;
    const look = () => tried(logger, signal, () => opened(task, signal, async ({ size }) => size));
    const hashed = (size: number) =>
      tried(logger, signal, () =>
        opened(task, signal, (object) =>
          digestsOf(object, size, new Set(['md5', algorithm]), signal),
        ),
      );

    const size = task.seenSize ?? (await look());
    if (size === 0) throw unusable('there are no bytes at the location');
    if (size > rules.sizeCap)
      throw unusable(`there are ${size} bytes at the location: at most ${rules.sizeCap} may be`);
    passStep('worker.location-seen');
    const seen = { type: 'CompleteLocation', uploadId, epoch, size, algorithm } as const;

    if (validation !== null && task.seenSize === null) {
      const given = {
        [validation.algorithm]: validation.value,
        ...(validation.checksum === null ? {} : { md5: validation.checksum }),
      };
      const digests: Digests = rules.secureHash ? await hashed(size) : given;
      for (const [name, value] of Object.entries(given))
        if (digests[name] !== value)
          throw new Failed(
            'digest-mismatch',
            `the ${name} of the bytes at the location is ${digests[name]}, not ${value}`,
          );
      passStep('worker.location-digested');
      yield { ...seen, digests, digestsFollow: false };
      return;
    }
    if (task.seenSize === null) yield { ...seen, digests: {}, digestsFollow: rules.secureHash };
    if (task.seenSize === null && !rules.secureHash) return;
    passStep('worker.location-active');
    const digests = await hashed(size);
    passStep('worker.location-digested');
    yield { type: 'RecordDigests', uploadId, epoch, digests, algorithm };
  };
}

const unusable = (why: string, cause?: unknown): Failed =>
  new Failed('location-unusable', `The location cannot be used: ${why}.`, cause);

/** Rejects with `StoreUnavailable` where there are other bytes, or fewer, than `size`. */
async function digestsOf(
  object: StoredObject,
  size: number,
  algorithms: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Digests> {
  if (object.size !== size)
    throw new StoreUnavailable(`there were ${size} bytes, now there are ${object.size}`, undefined);
  const hashes = [...algorithms].map((name) => [name, createHash(name)] as const);
  const buffer = new Uint8Array(Math.min(chunkBytes, size));
  for (let offset = 0; offset < size; ) {
    signal.throwIfAborted();
    const count = await object.read(buffer, offset);
    if (count === 0) throw new StoreUnavailable(`the bytes end at ${offset}`, undefined);
    for (const [, hash] of hashes) hash.update(buffer.subarray(0, count));
    offset += count;
  }
  return Object.fromEntries(hashes.map(([name, hash]) => [name, hash.digest('hex')]));
}
