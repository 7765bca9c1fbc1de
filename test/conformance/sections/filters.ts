import { createHash } from 'node:crypto';
import { section } from '../case.ts';
import type { Client } from '../client.ts';
import { type Document, isDocument } from '../reply.ts';
import { type Site, someBytes } from '../site.ts';

const one = Buffer.from('1');

/** Images told apart by the property `role`, and gathered by a property that no other image has. */
async function gathered(
  site: Site,
  ...attributes: readonly Document[]
): Promise<{ readonly mark: string; readonly made: readonly Document[] }> {
  const mark = site.unique();
  const made: Document[] = [];
  for (const given of attributes) {
    const body = { mark, disk_format: 'raw', container_format: 'bare', ...given };
    made.push((await site.demo.post('/v2/images', body)).is(201).json());
  }
  return { mark, made };
}

/** Checks which of the gathered a query finds, by their property `role`, sorted. */
async function finds(
  client: Client,
  mark: string,
  query: string,
  ...roles: readonly string[]
): Promise<void> {
  const reply = (await client.get(`/v2/images?mark=${mark}&${query}`)).is(200);
  const { images } = reply.json();
  const found = (Array.isArray(images) ? images : []).filter(isDocument).map(({ role }) => role);
  reply.same('the roles', found.sort(), [...roles].sort());
}

/** Reference, section 6.3, "Filters". */
export const filters = section('filters', (says) => {
  says('a custom property is matched exactly', async (site) => {
    const { mark } = await gathered(
      site,
      { role: 'a', colour: 'red' },
      { role: 'b', colour: 'redder' },
      { role: 'c' },
    );
    await finds(site.demo, mark, 'colour=red', 'a');
    await finds(site.demo, mark, 'colour=RED');
    await finds(site.demo, mark, 'shape=round');
  });

  says('all filters must hold', async (site) => {
    const { mark } = await gathered(
      site,
      { role: 'a', name: 'x', colour: 'red' },
      { role: 'b', name: 'x', colour: 'blue' },
    );
    await finds(site.demo, mark, 'name=x', 'a', 'b');
    await finds(site.demo, mark, 'name=x&colour=blue', 'b');
  });

  for (const [field, values] of Object.entries({
    name: ['alpha', 'beta', 'gamma'],
    disk_format: ['qcow2', 'raw', 'iso'],
    container_format: ['bare', 'ovf', 'ova'],
  }))
    says(`${field} takes a value, eq: and in:`, async (site) => {
      const [a = '', b = '', c = ''] = values;
      const { mark } = await gathered(
        site,
        { role: 'a', [field]: a },
        { role: 'b', [field]: b },
        { role: 'c', [field]: c },
      );
      await finds(site.demo, mark, `${field}=${a}`, 'a');
      await finds(site.demo, mark, `${field}=eq:${b}`, 'b');
      await finds(site.demo, mark, `${field}=in:${a},${c}`, 'a', 'c');
      await finds(site.demo, mark, `${field}=in:nothing`);
    });

  says('id takes a value, eq: and in:', async (site) => {
    const { mark, made } = await gathered(site, { role: 'a' }, { role: 'b' }, { role: 'c' });
    const [a, b] = made.map(({ id }) => id);
    await finds(site.demo, mark, `id=${a}`, 'a');
    await finds(site.demo, mark, `id=eq:${b}`, 'b');
    await finds(site.demo, mark, `id=in:${a},${b}`, 'a', 'b');
  });

  says('status takes a value, eq: and in:', async (site) => {
    const { mark, made } = await gathered(site, { role: 'queued' }, { role: 'active' });
    (await site.demo.upload(String(made[1]?.id), one)).is(204);
    await finds(site.demo, mark, 'status=queued', 'queued');
    await finds(site.demo, mark, 'status=eq:active', 'active');
    await finds(site.demo, mark, 'status=in:queued,active', 'queued', 'active');
    await finds(site.demo, mark, 'status=saving');
  });

  says('in: takes values with commas and quotes in quotes', async (site) => {
    const { mark } = await gathered(
      site,
      { role: 'comma', name: 'one, two' },
      { role: 'quote', name: 'a "b"' },
      { role: 'plain', name: 'three' },
    );
    const names = encodeURIComponent('in:"one, two",three');
    await finds(site.demo, mark, `name=${names}`, 'comma', 'plain');
    const quoted = encodeURIComponent(String.raw`in:"a \"b\""`);
    await finds(site.demo, mark, `name=${quoted}`, 'quote');
  });

  says('eq: takes a name that has a colon', async (site) => {
    const { mark } = await gathered(site, { role: 'colon', name: 'debian:12' });
    await finds(site.demo, mark, 'name=eq:debian:12', 'colon');
    await finds(site.demo, mark, `name=${encodeURIComponent('in:"debian:12"')}`, 'colon');
  });

  for (const query of [
    'name=like:x',
    'status=gt:active',
    'disk_format=neq:raw',
    'name=in:"x',
    'name=in:x"y"',
    'name=in:"x"y',
  ])
    says(`${query} is 400`, async ({ demo }) => {
      (await demo.get(`/v2/images?${encodeURI(query)}`)).is(400);
    });

  for (const field of ['created_at', 'updated_at'])
    says(`${field} takes each comparison`, async (site) => {
      const { mark, made } = await gathered(site, { role: 'a' });
      const at = String(made[0]?.[field]);
      const earlier = '2001-01-01T00:00:00Z';
      const later = '2101-01-01T00:00:00Z';
      for (const query of [at, `eq:${at}`, `gte:${at}`, `lte:${at}`, `gt:${earlier}`])
        await finds(site.demo, mark, `${field}=${query}`, 'a');
      for (const query of [`lt:${later}`, `neq:${later}`, `lte:${later}`, `gte:${earlier}`])
        await finds(site.demo, mark, `${field}=${query}`, 'a');
      for (const query of [`gt:${later}`, `lt:${earlier}`, `eq:${later}`, `neq:${at}`, `lt:${at}`])
        await finds(site.demo, mark, `${field}=${query}`);
    });

  says('a date may have an offset and no operator', async (site) => {
    const { mark, made } = await gathered(site, { role: 'a' });
    const at = new Date(String(made[0]?.created_at));
    const inTokyo = new Date(at.getTime() + 9 * 3600_000).toISOString().slice(0, 19);
    const query = `created_at=${encodeURIComponent(`${inTokyo}+09:00`)}`;
    await finds(site.demo, mark, query, 'a');
    await finds(site.demo, mark, query.replace('=', '=eq:'), 'a');
  });

  for (const query of ['created_at=yesterday', 'updated_at=gt:3', 'created_at=in:2026-01-01'])
    says(`${query} is 400`, async ({ demo }) => {
      (await demo.get(`/v2/images?${query}`)).is(400);
    });

  says('size_min and size_max are inclusive', async (site) => {
    const { mark, made } = await gathered(site, { role: 'small' }, { role: 'big' });
    (await site.demo.upload(String(made[0]?.id), one)).is(204);
    (await site.demo.upload(String(made[1]?.id), someBytes)).is(204);
    const { length } = someBytes;
    await finds(site.demo, mark, 'size_min=1', 'small', 'big');
    await finds(site.demo, mark, `size_min=${length}`, 'big');
    await finds(site.demo, mark, `size_max=${length - 1}`, 'small');
    await finds(site.demo, mark, `size_min=2&size_max=${length}`, 'big');
    await finds(site.demo, mark, `size=${length}`, 'big');
  });

  says('checksum and hashes are matched exactly', async (site) => {
    const { mark, made } = await gathered(site, { role: 'data' }, { role: 'none' });
    (await site.demo.upload(String(made[0]?.id), someBytes)).is(204);
    const digest = (algorithm: string) => createHash(algorithm).update(someBytes).digest('hex');
    await finds(site.demo, mark, `checksum=${digest('md5')}`, 'data');
    await finds(site.demo, mark, `os_hash_value=${digest('sha512')}`, 'data');
    await finds(site.demo, mark, 'os_hash_algo=sha512', 'data');
    await finds(site.demo, mark, `checksum=${'0'.repeat(32)}`);
  });

  for (const field of ['min_disk', 'min_ram'])
    says(`${field} is matched exactly`, async (site) => {
      const { mark } = await gathered(site, { role: 'a', [field]: 5 }, { role: 'b' });
      await finds(site.demo, mark, `${field}=5`, 'a');
      await finds(site.demo, mark, `${field}=0`, 'b');
    });

  says('owner is matched exactly', async (site) => {
    const { mark } = await gathered(site, { role: 'a' });
    await finds(site.admin, mark, `owner=${site.projects.demo}`, 'a');
    await finds(site.admin, mark, `owner=${site.projects.alt}`);
  });

  says('protected is true or false', async (site) => {
    const { mark } = await gathered(site, { role: 'kept', protected: true }, { role: 'free' });
    await finds(site.demo, mark, 'protected=true', 'kept');
    await finds(site.demo, mark, 'protected=false', 'free');
  });

  says('os_hidden is true or false in any case', async (site) => {
    const { mark } = await gathered(site, { role: 'hidden', os_hidden: true }, { role: 'plain' });
    for (const text of ['true', 'True', 'TRUE'])
      await finds(site.demo, mark, `os_hidden=${text}`, 'hidden');
    for (const text of ['false', 'False'])
      await finds(site.demo, mark, `os_hidden=${text}`, 'plain');
    await finds(site.demo, mark, '', 'plain');
  });

  says('visibility takes each kind, and all', async (site) => {
    const kinds = ['community', 'shared', 'private'];
    const { mark } = await gathered(
      site,
      ...kinds.map((visibility) => ({ visibility, role: visibility })),
    );
    for (const kind of kinds) await finds(site.demo, mark, `visibility=${kind}`, kind);
    await finds(site.demo, mark, 'visibility=public');
    await finds(site.demo, mark, 'visibility=all', ...kinds);
    await finds(site.alt, mark, 'visibility=all', 'community');
  });

  says('an empty visibility is no image’s: an empty page', async (site) => {
    const { mark } = await gathered(site, { role: 'a' });
    await finds(site.demo, mark, 'visibility=');
    await finds(site.admin, mark, 'visibility=');
  });

  says('tag may be repeated and must all be there', async (site) => {
    const { mark } = await gathered(
      site,
      { role: 'both', tags: ['x', 'y'] },
      { role: 'x', tags: ['x'] },
      { role: 'none' },
    );
    await finds(site.demo, mark, 'tag=x', 'both', 'x');
    await finds(site.demo, mark, 'tag=x&tag=y', 'both');
    await finds(site.demo, mark, 'tag=X');
  });

  says('deleted is ignored', async (site) => {
    const { mark } = await gathered(site, { role: 'a' });
    await finds(site.demo, mark, 'deleted=true', 'a');
    await finds(site.demo, mark, 'deleted=false', 'a');
  });

  says('is_public is taken as a custom property', async (site) => {
    const { mark } = await gathered(site, { role: 'a' }, { role: 'b', is_public: 'yes' });
    await finds(site.demo, mark, 'is_public=yes', 'b');
  });

  for (const query of [
    'size_min=small',
    'size_max=1.5',
    'protected=True',
    'protected=maybe',
    'os_hidden=maybe',
    'visibility=secret',
    'os_hidden=',
    'protected=',
    'size_min=',
    'created_at=',
    'member_status=',
    'member_status=asleep',
    'changes-since=2026-01-01T00:00:00Z',
  ])
    says(`${query} is 400`, async ({ demo }) => {
      (await demo.get(`/v2/images?${query}`)).is(400);
    });

  for (const status of ['pending', 'accepted', 'rejected', 'all'])
    says(`member_status=${status} leaves own images listed`, async (site) => {
      const { mark } = await gathered(site, { role: 'own' });
      await finds(site.demo, mark, `member_status=${status}`, 'own');
    });

  says('a value is decoded from the URL', async (site) => {
    const { mark } = await gathered(site, { role: 'a', name: 'żółty & +1' });
    await finds(site.demo, mark, `name=${encodeURIComponent('żółty & +1')}`, 'a');
  });
});
