import { section } from '../case.ts';
import type { Client } from '../client.ts';
import { type Document, isDocument, type Reply } from '../reply.ts';
import type { Site } from '../site.ts';

async function images(
  site: Site,
  ...all: readonly Readonly<Record<string, unknown>>[]
): Promise<string> {
  const mark = site.unique();
  for (const one of all) await site.image({ mark, ...one });
  return mark;
}

async function order(
  client: Client,
  mark: string,
  query: string,
  field: string,
  wanted: readonly unknown[],
): Promise<void> {
  const reply = (await client.get(`/v2/images?mark=${mark}&${query}`)).is(200);
  reply.same(
    `${field} in the order`,
    listed(reply).map((image) => image[field]),
    wanted,
  );
}

const listed = (reply: Reply): readonly Document[] => {
  const { images } = reply.is(200).json();
  return Array.isArray(images) ? images.filter(isDocument) : [];
};

const ids = (reply: Reply): unknown[] => listed(reply).map(({ id }) => id);

/** Reference, section 6.3, "Sorting". */
export const sorting = section('sorting', (says) => {
  for (const [syntax, asc, desc] of [
    ['sort', 'sort=name:asc', 'sort=name:desc'],
    ['sort_key and sort_dir', 'sort_key=name&sort_dir=asc', 'sort_key=name&sort_dir=desc'],
  ] as const)
    says(`${syntax} sorts both ways`, async (site) => {
      const mark = await images(site, { name: 'b' }, { name: 'c' }, { name: 'a' });
      await order(site.demo, mark, asc, 'name', ['a', 'b', 'c']);
      await order(site.demo, mark, desc, 'name', ['c', 'b', 'a']);
    });

  says('the direction is desc when none is given', async (site) => {
    const mark = await images(site, { name: 'b' }, { name: 'c' }, { name: 'a' });
    await order(site.demo, mark, 'sort=name', 'name', ['c', 'b', 'a']);
    await order(site.demo, mark, 'sort_key=name', 'name', ['c', 'b', 'a']);
  });

  const pairs = [
    { name: 'a', disk_format: 'raw', label: 'ar' },
    { name: 'b', disk_format: 'raw', label: 'br' },
    { name: 'a', disk_format: 'iso', label: 'ai' },
    { name: 'b', disk_format: 'iso', label: 'bi' },
  ];
  for (const [query, wanted] of [
    ['sort=name:asc,disk_format:desc', ['ar', 'ai', 'br', 'bi']],
    ['sort=name:desc,disk_format:asc', ['bi', 'br', 'ai', 'ar']],
    ['sort_key=name&sort_key=disk_format&sort_dir=asc', ['ai', 'ar', 'bi', 'br']],
    ['sort_key=name&sort_dir=asc&sort_key=disk_format&sort_dir=desc', ['ar', 'ai', 'br', 'bi']],
  ] as const)
    says(`several keys: ${query}`, async (site) => {
      const mark = await images(site, ...pairs);
      await order(site.demo, mark, query, 'label', wanted);
    });

  says('size sorts as a number, and none as 0', async (site) => {
    const mark = site.unique();
    for (const length of [9, 100]) await site.active({ mark }, Buffer.alloc(length, 'x'));
    await site.image({ mark });
    await order(site.demo, mark, 'sort=size:asc', 'size', [null, 9, 100]);
  });

  for (const key of [
    'name',
    'status',
    'container_format',
    'disk_format',
    'size',
    'id',
    'created_at',
    'updated_at',
  ])
    says(`${key} is a key`, async ({ demo }) => {
      (await demo.get(`/v2/images?limit=1&sort=${key}:asc`)).is(200);
      (await demo.get(`/v2/images?limit=1&sort_key=${key}`)).is(200);
    });

  for (const query of [
    'sort=colour',
    'sort_key=min_disk',
    'sort=name:up',
    'sort_dir=up',
    'sort=name:asc&sort_key=name',
    'sort=name&sort_dir=asc',
    'sort_key=name&sort_key=size&sort_key=id&sort_dir=asc&sort_dir=desc',
    'sort_key=',
  ])
    says(`${query} is 400`, async ({ demo }) => {
      (await demo.get(`/v2/images?${query}`)).is(400);
    });

  says('created_at desc is the default', async (site) => {
    const mark = await images(site, {}, {}, {});
    const reply = await site.demo.get(`/v2/images?mark=${mark}`);
    const times = listed(reply).map(({ created_at }) => String(created_at));
    reply.same('created_at', times, [...times].sort().reverse());
    const explicit = await site.demo.get(`/v2/images?mark=${mark}&sort=created_at:desc`);
    explicit.same('the ids', ids(explicit), ids(reply));
  });

  for (const key of ['name', 'size', 'status'])
    says(`images of one ${key} have an order, turned round with the direction`, async (site) => {
      const mark = await images(site, { name: 'x' }, { name: 'x' }, { name: 'x' }, { name: 'x' });
      const asc = await site.demo.get(`/v2/images?mark=${mark}&sort=${key}:asc`);
      const desc = await site.demo.get(`/v2/images?mark=${mark}&sort=${key}:desc`);
      const times = listed(asc).map(({ created_at }) => String(created_at));
      asc.same('created_at', times, [...times].sort());
      desc.same('the ids', ids(desc), ids(asc).reverse());
    });
});
