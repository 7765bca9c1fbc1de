import type { Callers } from './callers.ts';
import type { Client } from './client.ts';
import { isDocument } from './reply.ts';

/** What a site may offer or not, so that a statement applies to it or not. */
export type Feature =
  | 'keystone'
  | 'service role'
  | 'multiple stores'
  | 'single store'
  | 'two writable stores'
  | 'http store'
  | 'cache'
  | 'no cache'
  | 'shown locations'
  | 'no shown locations'
  | 'direct url'
  | 'no direct url'
  | 'import'
  | 'glance-direct'
  | 'no glance-direct'
  | 'web-download'
  | 'copy-image'
  | 'glance-download'
  | 'unified limits'
  | 'no unified limits'
  | 'source';

/** What is not offered, with the reason that the site gave for thinking so. */
export type Missing = Readonly<Partial<Record<Feature, string>>>;

export interface Offer {
  readonly missing: Missing;
  /** Import methods as announced. */
  readonly importMethods: readonly string[];
  readonly stores: readonly Store[];
}

export interface Store {
  readonly id: string;
  readonly isDefault: boolean;
  readonly isReadOnly: boolean;
}

/** Asks the endpoint, with an image that `admin` makes for it. */
export async function offerOf(
  { identity, service }: Pick<Callers, 'identity' | 'service'>,
  admin: Client,
  source: string | undefined,
): Promise<Offer> {
  const probe = { name: 'conformance probe', disk_format: 'raw', container_format: 'bare' };
  const created = (await admin.post('/v2/images', probe)).is(201);
  const { id } = created.json();
  await admin.upload(String(id), Buffer.from('probe'));
  const shown = await admin.show(String(id));
  const importMethods = String(created.headers['openstack-image-import-methods'] ?? '')
    .split(',')
    .filter((name) => name !== '');
  const stores = storesIn((await admin.get('/v2/info/stores')).text);
  const writable = stores.filter(({ isReadOnly }) => !isReadOnly);
  const cached = (await admin.get('/v2/cache')).status === 200;
  const limited = (await admin.get('/v2/info/usage')).text.includes('image_count_total');
  const image = (shown.status === 200 ? shown : created).json();
  const announced = `announced are: ${importMethods.join(', ') || 'none'}`;
  const reasons: readonly (readonly [Feature, boolean, string])[] = [
    ['keystone', identity === 'keystone', 'the callers come from no Keystone'],
    ['service role', service !== undefined, 'no account with the role service'],
    ['multiple stores', stores.length > 0, '/v2/info/stores names none'],
    ['single store', stores.length === 0, 'this site has several stores'],
    ['two writable stores', writable.length > 1, `writable are ${writable.length}`],
    ['http store', stores.some(({ isReadOnly }) => isReadOnly), 'no store is read-only'],
    ['cache', cached, '/v2/cache is not there'],
    ['no cache', !cached, 'this site has a cache'],
    ['shown locations', 'locations' in image, 'images show no locations'],
    ['no shown locations', !('locations' in image), 'images show their locations'],
    ['direct url', 'direct_url' in image, 'images show no direct_url'],
    ['no direct url', !('direct_url' in image), 'images show a direct_url'],
    ['import', importMethods.length > 0, announced],
    ['glance-direct', importMethods.includes('glance-direct'), announced],
    ['no glance-direct', !importMethods.includes('glance-direct'), announced],
    ['web-download', importMethods.includes('web-download'), announced],
    ['copy-image', importMethods.includes('copy-image'), announced],
    ['glance-download', importMethods.includes('glance-download'), announced],
    ['unified limits', limited, '/v2/info/usage names no limit'],
    ['no unified limits', !limited, '/v2/info/usage names limits'],
    ['source', source !== undefined, 'no --source-url was given'],
  ];
  const missing = reasons.filter(([, offered]) => !offered);
  return {
    missing: Object.fromEntries(missing.map(([feature, , reason]) => [feature, reason])),
    importMethods,
    stores,
  };
}

function storesIn(text: string): Store[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return [];
  }
  if (!isDocument(document) || !Array.isArray(document.stores)) return [];
  return document.stores.filter(isDocument).map((store) => ({
    id: String(store.id),
    isDefault: store.default === 'true',
    isReadOnly: store['read-only'] === 'true',
  }));
}
