import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import type { Client } from '../client.ts';
import { type Document, isDocument, type Reply } from '../reply.ts';
import type { Site } from '../site.ts';

const imagesIn = (reply: Reply): readonly Document[] => {
  const { images } = reply.is(200).json();
  return Array.isArray(images) ? images.filter(isDocument) : [];
};

async function marked(site: Site, count: number): Promise<string> {
  const mark = site.unique();
  for (let index = 0; index < count; index += 1)
    await site.image({ mark, name: `n${index % 3}`, tags: ['p', 'q'] });
  return mark;
}

/** Follows `next` from a first page until there is none; gives the pages. */
async function pages(client: Client, first: string): Promise<readonly Reply[]> {
  const all: Reply[] = [];
  for (let path: unknown = first; typeof path === 'string' && all.length < 50; ) {
    const reply = (await client.get(path)).is(200);
    all.push(reply);
    path = reply.json().next;
  }
  return all;
}

/** Reference, section 6.3, paging. */
export const paging = section('paging', (says) => {
  says('a listing has images, first and schema', async ({ demo, unique }) => {
    const name = unique();
    const reply = (await demo.get(`/v2/images?name=${name}`)).is(200);
    reply.same('the document', reply.json(), {
      images: [],
      first: `/v2/images?name=${name}`,
      schema: '/v2/schemas/images',
    });
  });

  says('first has no ? when nothing was asked', async ({ demo }) => {
    (await demo.get('/v2/images')).is(200).has({ first: '/v2/images' });
  });

  says('next is there when the page is full, and not otherwise', async (site) => {
    const mark = await marked(site, 3);
    for (const [limit, wanted] of [
      [2, true],
      [3, true],
      [4, false],
    ] as const) {
      const reply = (await site.demo.get(`/v2/images?mark=${mark}&limit=${limit}`)).is(200);
      reply.that(`next: ${wanted}`, 'next' in reply.json() === wanted);
    }
  });

  says('next is host-relative and names the last image as marker', async (site) => {
    const mark = await marked(site, 3);
    const reply = await site.demo.get(`/v2/images?limit=2&mark=${mark}`);
    const last = imagesIn(reply).at(-1)?.id;
    const next = new URL(String(reply.json().next), 'http://relative');
    reply.same('its path', next.pathname, '/v2/images');
    reply.that('host-relative', String(reply.json().next).startsWith('/v2/'));
    reply.same('its parameters', Object.fromEntries(next.searchParams), {
      limit: '2',
      mark,
      marker: last,
    });
  });

  for (const query of ['', '&sort=name:asc', '&sort=size:desc,name:asc', '&sort_key=status'])
    says(
      `following next meets every image once${query && `, with ${query.slice(1)}`}`,
      async (site) => {
        const mark = await marked(site, 7);
        const whole = await site.demo.get(`/v2/images?mark=${mark}${query}`);
        const walked = await pages(site.demo, `/v2/images?mark=${mark}&limit=2${query}`);
        const ids = walked.flatMap((page) => imagesIn(page).map(({ id }) => id));
        whole.same(
          'the ids in order',
          ids,
          imagesIn(whole).map(({ id }) => id),
        );
      },
    );

  says('an empty last page may follow, without next', async (site) => {
    const mark = await marked(site, 2);
    const walked = await pages(site.demo, `/v2/images?mark=${mark}&limit=1`);
    walked[0]?.same(
      'images a page',
      walked.map((page) => imagesIn(page).length),
      [1, 1, 0],
    );
  });

  says('repeated parameters stay in first and next', async (site) => {
    const mark = await marked(site, 2);
    const query = `mark=${mark}&limit=1&tag=p&tag=q&sort_key=name&sort_key=size&sort_dir=asc`;
    const { first, next } = (await site.demo.get(`/v2/images?${query}`)).is(200).json();
    for (const link of [first, next]) {
      const { searchParams } = new URL(String(link), 'http://relative');
      const reply = await site.demo.get(String(link));
      reply.same('tag', searchParams.getAll('tag').sort(), ['p', 'q']);
      reply.same('sort_key', searchParams.getAll('sort_key'), ['name', 'size']);
    }
  });

  says('the default page has 25', async (site) => {
    const mark = await marked(site, 26);
    const reply = await site.demo.get(`/v2/images?mark=${mark}`);
    reply.same('how many', imagesIn(reply).length, 25);
    reply.that('next', 'next' in reply.json());
  });

  says('limit=0 gives an empty page without next', async (site) => {
    const mark = await marked(site, 1);
    const reply = await site.demo.get(`/v2/images?mark=${mark}&limit=0`);
    reply.same('images', imagesIn(reply), []);
    reply.that('no next', !('next' in reply.json()));
  });

  says('a limit above 1000 is clipped in silence', async ({ demo }) => {
    (await demo.get('/v2/images?limit=100000')).is(200);
  });

  for (const limit of ['-1', 'ten', '1.5', ''])
    says(`limit=${limit} is 400`, async ({ demo }) => {
      (await demo.get(`/v2/images?limit=${limit}`)).is(400);
    });

  says('an unknown marker is 400', async ({ demo }) => {
    (await demo.get(`/v2/images?marker=${randomUUID()}`)).is(400);
    (await demo.get('/v2/images?marker=nothing')).is(400);
  });

  says('the marker of a deleted image is 400', async ({ demo, image }) => {
    const id = await image();
    (await demo.delete(`/v2/images/${id}`)).is(204);
    (await demo.get(`/v2/images?marker=${id}`)).is(400);
  });

  says('the marker of an invisible image is 403', async ({ alt, image }) => {
    const id = await image({ visibility: 'private' });
    (await alt.get(`/v2/images?marker=${id}`)).is(403);
  });

  says('a marker that no filter finds still holds its place', async (site) => {
    const mark = await marked(site, 3);
    const reply = await site.demo.get(`/v2/images?mark=${mark}&sort=name:asc`);
    const [first, ...rest] = imagesIn(reply).map(({ id }) => String(id));
    (await site.demo.patch(String(first), { op: 'remove', path: '/mark' })).is(200);
    const after = await site.demo.get(`/v2/images?mark=${mark}&sort=name:asc&marker=${first}`);
    after.same(
      'the ids',
      imagesIn(after).map(({ id }) => id),
      rest,
    );
  });
});
