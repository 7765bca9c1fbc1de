import type { Store } from '../../domain/store.ts';
import { addressGuard, type Resolve } from '../../infra/net/address-guard.ts';
import { httpStore } from '../../infra/store/http.ts';
import type { NamedStore } from '../../infra/store/stores.ts';

/** A store as operators configure one, over whatever adapter. */
export const writableStore = (
  id: string,
  store: Store,
  more: Partial<NamedStore> = {},
): NamedStore => ({
  id,
  type: 'file',
  description: '',
  weight: 0,
  properties: { data_dir: '/', chunk_size: 1, thin_provisioning: false },
  reader: store,
  writer: store,
  urlOf: (key) => `file:///${id}/${key}`,
  guard: null,
  ...more,
});

/** One that reads from file servers of this machine, at the ports given. */
export function localHttpStore(
  id: string,
  ports: readonly number[],
  {
    timeoutMs = 20_000,
    resolve,
    ...more
  }: Partial<NamedStore> & { timeoutMs?: number; resolve?: Resolve } = {},
): NamedStore {
  const rules = {
    allowedHosts: [],
    disallowedHosts: [],
    allowedPorts: ports,
    disallowedPorts: [],
    allowedCidrs: ['127.0.0.1/32'],
    disallowedCidrs: [],
  };
  const guard = addressGuard(rules, resolve);
  return {
    id,
    type: 'http',
    description: '',
    weight: 0,
    properties: {},
    reader: httpStore(guard, timeoutMs),
    writer: null,
    urlOf: (url) => url,
    guard,
    ...more,
  };
}
