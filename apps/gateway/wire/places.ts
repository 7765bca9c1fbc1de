import type { Location } from '../../../domain/image/state.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { areSeveral, type Stores } from '../../../infra/store/stores.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import { inReadOrder } from '../copies.ts';

/** What operators let callers see of the places of bytes; off by default, and best kept so (reference, section 25). */
export interface Showing {
  readonly locations: boolean;
  readonly directUrl: boolean;
}

/** One location as clients are shown it (reference, section 3.1). */
export function locationDocument(location: Location, stores: Stores): JsonObject {
  const { store, key, metadata } = location;
  const url = stores.byId.get(store)?.urlOf(key) ?? withoutStore(location);
  return { url: withoutUser(url), metadata: { ...metadata, store } };
}

/** Of bytes in a store that is not configured here: nobody knows where that is, but its name is known. */
const withoutStore = ({ store, key, ours }: Location): string =>
  ours ? `store://${store}/${key}` : key;

/** What an image's document says of where its bytes are. Who is no administrator sees nothing of a deactivated image's. */
export function placesOf(
  { locations, status }: ImageRecord,
  isAdmin: boolean,
  stores: Stores,
  showing: Showing,
): JsonObject {
  const seen = status === 'deactivated' && !isAdmin ? [] : locations;
  const [best] = inReadOrder(seen, stores);
  const ids = [...new Set(locations.map(({ store }) => store))];
  return {
    ...(areSeveral(stores) && ids.length > 0 ? { stores: ids.join(',') } : {}),
    ...(showing.locations ? { locations: seen.map((one) => locationDocument(one, stores)) } : {}),
    ...(showing.directUrl && best !== undefined
      ? { direct_url: locationDocument(best, stores).url }
      : {}),
  };
}

/** Nobody could give us a URL with a user; a store of an operator's may have one in its own. */
const withoutUser = (url: string): string =>
  url.replace(/^([a-z][a-z\d+.-]*:\/\/)[^/?#@]*@/i, '$1');
