import type { Client } from './client.ts';
import type { Document, Reply } from './reply.ts';
import type { Site } from './site.ts';

export const namespaces = '/v2/metadefs/namespaces';
export const property = { title: 'Size', type: 'string' };
export const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** A case that has a namespace of admin's, which goes when the case is over. `path` is its own. */
export const withNamespace =
  (
    document: Document,
    run: (site: Site, own: { readonly name: string; readonly path: string }) => Promise<void>,
  ) =>
  async (site: Site): Promise<void> => {
    const name = site.unique();
    const path = `${namespaces}/${name}`;
    try {
      (await site.admin.post(namespaces, { namespace: name, ...document })).is(201);
      await run(site, { name, path });
    } finally {
      await removeNamespace(site.admin, name);
    }
  };

export async function removeNamespace(admin: Client, name: string): Promise<void> {
  const path = `${namespaces}/${name}`;
  if ((await admin.delete(path)).status !== 403) return;
  await admin.put(path, { namespace: name, protected: false });
  await admin.delete(path);
}

/** The names of what a reply lists under a key, in its order. */
export function namesIn(reply: Reply, key: string, field = 'name'): readonly unknown[] {
  const list = reply.is(200).json()[key];
  return Array.isArray(list) ? list.map((item: Document) => item[field]) : [];
}
