import { pathToFileURL } from 'node:url';
import type { JsonObject } from '../../domain/json.ts';
import type { Store } from '../../domain/store.ts';
import type { Config } from '../config/config.ts';
import type { FileStoreSettings, HttpStoreSettings } from '../config/store-settings.ts';
import { type AddressGuard, addressGuard } from '../net/address-guard.ts';
import { copyBytes, filesystemStore } from './filesystem.ts';
import { httpStore } from './http.ts';
import { type KnownStores, knownStores, whileMounted } from './mounted.ts';

/** A store by the id that operators give it. */
export interface NamedStore {
  readonly id: string;
  readonly type: 'file' | 'http';
  /** Empty where there is none. */
  readonly description: string;
  /** Reads prefer the store with the larger one. */
  readonly weight: number;
  /** As administrators are shown them, by type (reference, section 15). */
  readonly properties: JsonObject;
  /** By our own key, or by the URL of somebody else's bytes. */
  readonly reader: Pick<Store, 'open'>;
  /** Null for one that is read only. */
  readonly writer: Store | null;
  /** Of what lies under a key. */
  readonly urlOf: (key: string) => string;
  /** What it may read, where strangers name URLs for it; null where they do not. */
  readonly guard: AddressGuard | null;
}

/** Where the bytes of images lie. */
export interface Stores {
  readonly byId: ReadonlyMap<string, NamedStore>;
  /** In the operator's order. */
  readonly all: readonly NamedStore[];
  /** It can be written. */
  readonly defaultId: string;
}

/** Every store of the configuration. Opens nothing yet. */
export function storesOf(config: Pick<Config, 'stores' | 'default-store' | 'data-dir'>): Stores {
  const known = knownStores(config['data-dir']);
  return storesFrom(
    config.stores.map((one) => (one.type === 'file' ? fileStore(one, known) : remoteStore(one))),
    config['default-store'],
  );
}

export const storesFrom = (all: readonly NamedStore[], defaultId: string): Stores => ({
  all,
  byId: new Map(all.map((store) => [store.id, store])),
  defaultId,
});

/** One store has no choice, and the API says nothing of it. */
export const areSeveral = ({ all }: Stores): boolean => all.length > 1;

function fileStore(
  { id, description, weight, dir }: FileStoreSettings,
  known: KnownStores,
): NamedStore {
  const store = whileMounted(filesystemStore(dir), { id, directory: dir }, known);
  return {
    id,
    type: 'file',
    description,
    weight,
    properties: { data_dir: dir, chunk_size: copyBytes, thin_provisioning: false },
    reader: store,
    writer: store,
    urlOf: (key) => `${pathToFileURL(dir).href}/${key}`,
    guard: null,
  };
}

function remoteStore(settings: HttpStoreSettings): NamedStore {
  const { id, description, weight } = settings;
  const guard = addressGuard({
    allowedHosts: settings['allowed-hosts'],
    disallowedHosts: settings['disallowed-hosts'],
    allowedPorts: settings['allowed-ports'],
    disallowedPorts: settings['disallowed-ports'],
    allowedCidrs: settings['allowed-cidrs'],
    disallowedCidrs: settings['disallowed-cidrs'],
  });
  return {
    id,
    type: 'http',
    description,
    weight,
    properties: {},
    reader: httpStore(guard, settings['timeout-ms']),
    writer: null,
    urlOf: (url) => url,
    guard,
  };
}
