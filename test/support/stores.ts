import type { Store } from '../../domain/store.ts';
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
