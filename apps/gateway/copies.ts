import type { Location } from '../../domain/image/state.ts';
import { ObjectMissing, type StoredObject, StoreUnavailable } from '../../domain/store.ts';
import { UrlRefused } from '../../infra/net/address-guard.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';

/** An image's copies as reads try them: preferred stores in the order given, then by falling weight, then the oldest. */
export function inReadOrder(
  locations: readonly Location[],
  { byId }: Stores,
  preferred: readonly string[] = [],
): readonly Location[] {
  const rank = ({ store }: Location): number => {
    const at = preferred.indexOf(store);
    return at < 0 ? preferred.length : at;
  };
  const weight = ({ store }: Location): number =>
    byId.get(store)?.weight ?? Number.NEGATIVE_INFINITY;
  return locations.toSorted(
    (one, other) => rank(one) - rank(other) || compare(weight(other), weight(one)),
  );
}

/** Not by subtraction: two stores that are not configured are equally last. */
const compare = (one: number, other: number): number => (one === other ? 0 : one < other ? -1 : 1);

/**
 * The first copy that can be opened and has the image's size; undefined where every store says that it has none. Rejects
 * with `StoreUnavailable` where one of them could not be asked.
 */
export async function openFirst(
  locations: readonly Location[],
  size: number,
  { byId }: Stores,
  logger: Logger,
): Promise<StoredObject | undefined> {
  let unavailable: StoreUnavailable | undefined;
  for (const { store, key } of locations)
    try {
      const known = byId.get(store);
      if (known === undefined)
        throw new StoreUnavailable(`The store ${store} is not configured here.`, undefined);
      const object = await known.reader.open(key);
      if (object.size === size) return object;
      await object.close();
      throw new StoreUnavailable(`${object.size} bytes are there instead of ${size}`, undefined);
    } catch (error) {
      if (!isOfStore(error)) throw error;
      logger.warn({ err: error, store }, 'a copy of an image cannot be read');
      if (!(error instanceof ObjectMissing)) unavailable = asUnavailable(error);
    }
  if (unavailable !== undefined) throw unavailable;
  return undefined;
}

const isOfStore = (error: unknown): error is Error =>
  error instanceof ObjectMissing ||
  error instanceof StoreUnavailable ||
  error instanceof UrlRefused;

const asUnavailable = (error: Error): StoreUnavailable =>
  error instanceof StoreUnavailable ? error : new StoreUnavailable(error.message, error);
