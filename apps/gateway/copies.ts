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
 * Has the first copy used that can be: what cannot be opened, has another size, or fails while `isOver` still says that
 * nothing came of it, gives way to the next. False where every store says that it has none; rejects with
 * `StoreUnavailable` where one of them could not be asked.
 */
export async function useFirst(
  { locations, size }: { readonly locations: readonly Location[]; readonly size: number },
  { byId }: Stores,
  logger: Logger,
  use: (object: StoredObject) => Promise<void>,
  isOver: () => boolean,
): Promise<boolean> {
  let unavailable: StoreUnavailable | undefined;
  for (const { store, key } of locations)
    try {
      const known = byId.get(store);
      if (known === undefined) throw new StoreUnavailable('it is not configured here', undefined);
      const object = await known.reader.open(key);
      try {
        if (object.size !== size)
          throw new StoreUnavailable(`${object.size} bytes are there, not ${size}`, undefined);
        await use(object);
        return true;
      } finally {
        await object.close();
      }
    } catch (error) {
      if (!isOfStore(error) || isOver()) throw error;
      logger.warn({ err: error, store }, 'a copy of an image cannot be read');
      if (!(error instanceof ObjectMissing))
        unavailable = new StoreUnavailable(`The store ${store} cannot be read just now.`, error);
    }
  if (unavailable !== undefined) throw unavailable;
  return false;
}

const isOfStore = (error: unknown): error is Error =>
  error instanceof ObjectMissing ||
  error instanceof StoreUnavailable ||
  error instanceof UrlRefused;
