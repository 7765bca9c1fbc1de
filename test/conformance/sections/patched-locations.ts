import { section } from '../case.ts';
import { add, remove, set } from '../client.ts';
import type { Feature } from '../features.ts';
import { type Document, isDocument, type Reply } from '../reply.ts';
import { type Site, someBytes } from '../site.ts';
import { validation } from './locations.ts';

const locationsIn = (reply: Reply): readonly Document[] => {
  const { locations } = reply.json();
  return Array.isArray(locations) ? locations.filter(isDocument) : [];
};

/** Reference, section 14.1, where the site shows locations and lets them be changed. */
export const patchedLocations = section('patched-locations', (says) => {
  const changeable: readonly Feature[] = ['shown locations', 'http store', 'source'];
  const located = (site: Site, more: object = {}) => ({ url: site.source, metadata: {}, ...more });
  const withQuery = (site: Site, query: string) => `${site.source}?${query}`;

  says('PATCH of the first makes the image active, with its size', changeable, async (site) => {
    const id = await site.image();
    const reply = (await site.demo.patch(id, add('locations/-', located(site)))).is(200);
    reply.has({ status: 'active', os_hash_value: null, size: someBytes.length });
    reply.same(
      'the URLs',
      locationsIn(reply).map(({ url }) => url),
      [site.source],
    );
    const data = (await site.demo.download(id)).is(200);
    data.that('its bytes', data.bytes.equals(someBytes));
  });

  says('PATCH takes what validation_data says', changeable, async (site) => {
    const id = await site.image();
    const said = validation('sha512', someBytes.toString());
    const value = located(site, { validation_data: said });
    (await site.demo.patch(id, add('locations/0', value)))
      .is(200)
      .has({ status: 'active', ...said });
  });

  for (const [what, data] of Object.entries({
    'another algorithm': validation('sha256'),
    'no hex': { os_hash_algo: 'sha512', os_hash_value: 'z'.repeat(128) },
    'a short value': { os_hash_algo: 'sha512', os_hash_value: 'ab' },
    'a checksum that is no hex': { ...validation('sha512'), checksum: 'z'.repeat(32) },
  }))
    says(`PATCH with validation_data of ${what} is 409`, changeable, async (site) => {
      const value = located(site, { validation_data: data });
      (await site.demo.patch(await site.image(), add('locations/-', value))).is(409);
    });

  // The reference says 409 of every bad length; Glance's image schema has these bounds, and is asked first.
  for (const [what, data] of Object.entries({
    'a short checksum': { ...validation('sha512'), checksum: 'ab' },
    'a long checksum': { ...validation('sha512'), checksum: 'a'.repeat(33) },
    'a value longer than any digest': { os_hash_algo: 'sha512', os_hash_value: 'a'.repeat(129) },
    'a long algorithm': { os_hash_algo: 'a'.repeat(65), os_hash_value: 'ab' },
  }))
    says(`PATCH with validation_data of ${what} is 400`, changeable, async (site) => {
      const value = located(site, { validation_data: data });
      (await site.demo.patch(await site.image(), add('locations/-', value))).is(400);
    });

  says('PATCH refuses digests that differ from those known: 409', changeable, async (site) => {
    const id = await site.active();
    for (const [text, code] of [
      ['something else', 409],
      [someBytes.toString(), 200],
    ] as const) {
      const value = located(site, { validation_data: validation('sha512', text) });
      (await site.demo.patch(id, add('locations/-', value))).is(code);
    }
  });

  says('PATCH refuses a duplicate: 400, but not with other metadata', changeable, async (site) => {
    const id = await site.active();
    (await site.demo.patch(id, add('locations/-', located(site)))).is(200);
    (await site.demo.patch(id, add('locations/-', located(site)))).is(400);
    (await site.demo.patch(id, add('locations/-', located(site, { metadata: { a: 'b' } })))).is(
      200,
    );
  });

  says('PATCH puts a location where it is told, or is 400', changeable, async (site) => {
    const id = await site.active();
    const [own] = locationsIn(await site.demo.show(id));
    const reply = (await site.demo.patch(id, add('locations/0', located(site)))).is(200);
    reply.same(
      'the order',
      locationsIn(reply).map(({ url }) => url),
      [site.source, own?.url],
    );
    for (const place of ['locations/x', 'locations/-1', 'locations/1/url'])
      (await site.demo.patch(id, add(place, located(site)))).is(400);
  });

  says('PATCH of a URL that is not there is 400', changeable, async (site) => {
    const gone = { url: new URL('/no-such-thing', site.source).href, metadata: {} };
    (await site.demo.patch(await site.image(), add('locations/-', gone))).is(400);
  });

  says('PATCH while a location is not to be added is 409', changeable, async (site) => {
    const id = await site.active();
    (await site.demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await site.demo.patch(id, add('locations/-', located(site)))).is(409);
    (await site.demo.patch(id, set('locations', [located(site)]))).is(409);
    (await site.admin.patch(id, remove('locations/0'))).is(409);
  });

  says('PATCH replaces metadata, and no URLs: 400', changeable, async (site) => {
    const id = await site.active();
    (await site.demo.patch(id, add('locations/-', located(site)))).is(200);
    const [first, second] = locationsIn(await site.demo.show(id));
    const changed = { url: second?.url, metadata: { zone: 'north' } };
    const reply = await site.demo.patch(id, set('locations', [first, changed]));
    const [, shown] = locationsIn(reply.is(200));
    reply.that('the zone', isDocument(shown?.metadata) && shown.metadata.zone === 'north', shown);
    for (const others of [[first], [first, { ...changed, url: withQuery(site, 'other') }]])
      (await site.demo.patch(id, set('locations', others))).is(400);
  });

  says('PATCH removes a location for admin alone, and never the last', changeable, async (site) => {
    const id = await site.active();
    (await site.demo.patch(id, add('locations/-', located(site)))).is(200);
    (await site.demo.patch(id, remove('locations/1'))).is(403);
    (await site.admin.patch(id, remove('locations/0'))).is(200);
    const left = (await site.demo.show(id)).is(200);
    left.same('how many', locationsIn(left).length, 1);
    (await site.admin.patch(id, remove('locations/0'))).is(403);
    (await site.demo.download(id)).is(200);
  });

  says('PATCH of more than ten is 413', changeable, async (site) => {
    const id = await site.active();
    for (let count = 1; count < 10; count++)
      (
        await site.demo.patch(
          id,
          add('locations/-', located(site, { metadata: { n: `${count}` } })),
        )
      ).is(200);
    const one = located(site, { metadata: { n: '10' } });
    (await site.demo.patch(id, add('locations/-', one))).is(413);
  });

  says('PATCH that fails in part changes nothing', changeable, async (site) => {
    const id = await site.image({ name: 'old' });
    const operations = [set('name', 'new'), add('locations/-', located(site))];
    const bad = add('locations/-', { url: 'x://y', metadata: {} });
    (await site.demo.patch(id, ...operations, bad)).is(400);
    (await site.demo.show(id)).has({ name: 'old', status: 'queued', locations: [] });
    (await site.demo.patch(id, ...operations)).is(200).has({ name: 'new', status: 'active' });
  });

  says('PATCH without formats is 400', changeable, async (site) => {
    const id = await site.image({ disk_format: null });
    (await site.demo.patch(id, add('locations/-', located(site)))).is(400);
  });

  says('direct_url is that of the only location', ['direct url', ...changeable], async (site) => {
    const id = await site.image();
    const reply = await site.demo.patch(id, add('locations/-', located(site)));
    reply.is(200).has({ direct_url: site.source });
  });
});
