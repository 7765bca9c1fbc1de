import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { add } from '../client.ts';
import type { Site } from '../site.ts';

/** Reference, section 15, delete from one store. */
export const stores = section('stores', (says) => {
  says('DELETE is 404 on a single-store site', 'single store', async ({ admin, active }) => {
    (await admin.delete(`/v2/stores/fast/${await active()}`)).is(404);
  });

  const several = 'multiple stores';
  const defaultOf = (offer: { stores: readonly { id: string; isDefault: boolean }[] }) =>
    offer.stores.find(({ isDefault }) => isDefault)?.id ?? '';

  says('data without a named store goes to the default', several, async (site) => {
    (await site.demo.show(await site.active())).has({ stores: defaultOf(site.offer) });
  });

  says('an image without data shows no stores', several, async ({ demo, image }) => {
    const reply = (await demo.show(await image())).is(200);
    reply.that('no stores', !('stores' in reply.json()));
  });

  says('DELETE from an unknown store is 409', several, async ({ admin, active }) => {
    (await admin.delete(`/v2/stores/nowhere/${await active()}`)).is(409);
  });

  says('DELETE of the only copy is 403', several, async ({ admin, active, offer }) => {
    const id = await active();
    (await admin.delete(`/v2/stores/${defaultOf(offer)}/${id}`)).is(403);
    (await admin.download(id)).is(200);
  });

  says('DELETE by who is not admin is 403', several, async ({ demo, active, offer }) => {
    (await demo.delete(`/v2/stores/${defaultOf(offer)}/${await active()}`)).is(403);
  });

  says('DELETE of an unknown image is 404', several, async ({ admin, offer }) => {
    (await admin.delete(`/v2/stores/${defaultOf(offer)}/${randomUUID()}`)).is(404);
  });

  const otherOf = ({ offer }: Site): string =>
    offer.stores.find(({ isDefault, isReadOnly }) => !isDefault && !isReadOnly)?.id ?? '';

  // The reference says 404 of every store that has it not; Glance looks first whether there is another copy.
  says('DELETE of the only copy from another store is 403', 'two writable stores', async (site) => {
    (await site.admin.delete(`/v2/stores/${otherOf(site)}/${await site.active()}`)).is(403);
  });

  says(
    'DELETE of one of two copies from a store that has it not is 404',
    ['two writable stores', 'http store', 'shown locations', 'source'],
    async (site) => {
      const id = await site.active();
      const elsewhere = { url: site.source, metadata: {} };
      (await site.demo.patch(id, add('locations/-', elsewhere))).is(200);
      (await site.admin.delete(`/v2/stores/${otherOf(site)}/${id}`)).is(404);
    },
  );

  says('DELETE of a queued image is 409', several, async ({ admin, image, offer }) => {
    (await admin.delete(`/v2/stores/${defaultOf(offer)}/${await image()}`)).is(409);
  });
});
