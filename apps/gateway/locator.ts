import { randomUUID } from 'node:crypto';
import type { KnownLocation, NewLocation, PatchOperation } from '../../domain/image/commands.ts';
import { ObjectMissing, StoreUnavailable } from '../../domain/store.ts';
import { UrlRefused } from '../../infra/net/address-guard.ts';
import type { NamedStore, Stores } from '../../infra/store/stores.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import { HttpError } from './http-error.ts';
import type { GivenLocation, LocationAsk } from './wire/locations.ts';
import { locationDocument } from './wire/places.ts';

/** Finds out which store serves a URL, and what is there. */
export interface Locator {
  /** Whether some store serves URLs that others name. */
  readonly servesUrls: boolean;
  /** The store that would read it; 400 where none may. Nothing is asked of anybody. */
  storeFor(url: string): NamedStore;
  /** What the domain has to know before it decides: 400 for what cannot be read, 413 for what is too large. */
  located(ask: LocationAsk, record: ImageRecord): Promise<PatchOperation>;
}

export const isHttpUrl = (url: string): boolean => /^https?:\/\//i.test(url);

export function locator(stores: Stores, sizeCap: number): Locator {
  const serving = stores.all
    .flatMap((store) => (store.guard === null ? [] : [{ store, guard: store.guard }]))
    .toSorted((one, other) => other.store.weight - one.store.weight);

  const storeFor = (url: string): NamedStore => {
    if (!isHttpUrl(url) || serving.length === 0)
      throw new HttpError(400, 'Invalid location: no store of this site reads such URLs.');
    const reasons: string[] = [];
    for (const { store, guard } of serving)
      try {
        guard.examine(url);
        return store;
      } catch (error) {
        if (!(error instanceof UrlRefused)) throw error;
        reasons.push(error.message);
      }
    throw new HttpError(400, `Invalid location: ${reasons.join('; ')}.`);
  };

  const sizeAt = async (store: NamedStore, url: string): Promise<number> => {
    try {
      const object = await store.reader.open(url);
      await object.close();
      return object.size;
    } catch (error) {
      const known =
        error instanceof UrlRefused ||
        error instanceof ObjectMissing ||
        error instanceof StoreUnavailable;
      if (!known) throw error;
      throw new HttpError(400, `Invalid location: ${error.message}.`, { cause: error });
    }
  };

  const looked = async ({ url, metadata, validation }: GivenLocation): Promise<NewLocation> => {
    const store = storeFor(url);
    const size = await sizeAt(store, url);
    if (size === 0) throw new HttpError(400, 'Invalid location: there are no bytes.');
    if (size > sizeCap)
      throw new HttpError(
        413,
        `There are ${size} bytes at the location: at most ${sizeCap} may be.`,
      );
    return { locationId: randomUUID(), store: store.id, url, metadata, size, validation };
  };

  return {
    servesUrls: serving.length > 0,
    storeFor,
    async located(ask, record) {
      if (ask.kind === 'ask-remove') return { kind: 'remove-location', at: ask.at };
      if (ask.kind === 'ask-add')
        return { kind: 'add-location', at: ask.at, location: await looked(ask.location) };
      const unmatched = [...record.locations];
      const locations: (NewLocation | KnownLocation)[] = [];
      for (const given of ask.locations) {
        const at = unmatched.findIndex((one) => locationDocument(one, stores).url === given.url);
        const [known] = at < 0 ? [] : unmatched.splice(at, 1);
        const { metadata, validation } = given;
        if (known !== undefined)
          locations.push({ knownId: known.id, store: known.store, metadata, validation });
        // Bytes that the image has stay where they are: whatever else is named is not looked at.
        else if (record.locations.length === 0) locations.push(await looked(given));
        else
          throw new HttpError(
            400,
            'The URLs of locations cannot be replaced, only their metadata.',
          );
      }
      return { kind: 'replace-locations', locations };
    },
  };
}
