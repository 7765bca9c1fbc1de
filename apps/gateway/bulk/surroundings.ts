import type { Stores } from '../../../infra/store/stores.ts';
import type { Surroundings } from '../../bulk/manifest/resolve.ts';
import { HttpError } from '../http-error.ts';
import type { ImageSchema } from '../wire/image-schema.ts';
import { type UrlRules, urlIn } from '../wire/import-method.ts';

/** What manifests are read against at this site: an item may ask for what an import request of the API may. */
export function bulkSurroundings({
  schema,
  stores,
  importMethods,
  urls,
}: {
  readonly schema: ImageSchema;
  readonly stores: Stores;
  /** That are enabled. */
  readonly importMethods: readonly string[];
  readonly urls: UrlRules;
}): Omit<Surroundings, 'caller'> {
  const { defaultId } = stores;
  const writable = stores.all.flatMap(({ id, writer }) => (writer === null ? [] : [id]));
  return {
    schema,
    stores: { defaultId, writable },
    admitUrl(field, uri) {
      if (!importMethods.includes('web-download'))
        throw new HttpError(
          400,
          'is a URL, and nothing is fetched here: web-download is not enabled',
        );
      urlIn(field, uri, urls);
    },
  };
}
