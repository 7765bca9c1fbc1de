import { section } from '../case.ts';
import { isDocument, type Reply } from '../reply.ts';
import type { Site } from '../site.ts';

const down = (from: number, to: number): number[] =>
  Array.from({ length: from - to + 1 }, (_, index) => from - index);

/** Minors in the order that the reference gives them, by what the site offers. */
function minorsOf({ missing }: Site['offer']): number[] {
  const cache = missing.cache === undefined;
  const several = missing['multiple stores'] === undefined;
  return [
    ...(cache ? down(18, 14) : [15]),
    ...(several ? down(13, 8) : [9]),
    ...(cache ? [] : [17]),
    ...down(7, 0),
  ];
}

const entriesOf = (reply: Reply) => {
  const { versions } = reply.json();
  return Array.isArray(versions) ? versions.filter(isDocument) : [];
};

/** Reference, section 2. */
export const versions = section('versions', (says) => {
  says('GET /versions is 200 without a token', async ({ anonymous }) => {
    const reply = (await anonymous.get('/versions')).is(200);
    reply.header('content-type', /^application\/json/);
    reply.that('versions', entriesOf(reply).length > 0);
  });

  for (const path of ['/', '/v9/images', '/v1/images', '/images'])
    says(`GET ${path} is 300 with the same body`, async ({ anonymous }) => {
      const { text } = (await anonymous.get('/versions')).is(200);
      const reply = (await anonymous.get(path)).is(300);
      reply.same('the body', reply.json(), JSON.parse(text));
    });

  says('GET /v2/ with a token is 404', async ({ demo }) => {
    (await demo.get('/v2/')).is(404);
  });

  says('GET /v2 with a token is 404, or leads to /v2/', async ({ demo, base }) => {
    const reply = (await demo.get('/v2')).is(404, 302);
    if (reply.status === 302) reply.header('location', `${base}/v2/`);
  });

  says('GET /v2 and /v2/ without a good token are 401', 'keystone', async (site) => {
    for (const client of [site.anonymous, site.forged])
      for (const path of ['/v2', '/v2/']) (await client.get(path)).is(401);
  });

  says('an entry has id, status and one link to /v2/ alone', async ({ anonymous, base }) => {
    const reply = await anonymous.get('/versions');
    for (const { id, status, ...rest } of entriesOf(reply)) {
      reply.that('an id v2.N', /^v2\.\d+$/.test(String(id)), id);
      reply.that(
        'a known status',
        ['CURRENT', 'SUPPORTED', 'EXPERIMENTAL'].includes(String(status)),
      );
      reply.same(`the rest of ${id}`, rest, { links: [{ rel: 'self', href: `${base}/v2/` }] });
    }
  });

  says('one version is CURRENT', async ({ anonymous }) => {
    const reply = await anonymous.get('/versions');
    const current = entriesOf(reply).filter(({ status }) => status === 'CURRENT');
    reply.same('how many are CURRENT', current.length, 1);
  });

  says('the minors are those of what the site offers', async ({ anonymous, offer }) => {
    const reply = await anonymous.get('/versions');
    const ids = entriesOf(reply).map(({ id }) => id);
    reply.same(
      'the ids',
      ids,
      minorsOf(offer).map((minor) => `v2.${minor}`),
    );
  });

  says('every offered minor is a synonym of v2 in the path', async ({ anonymous, demo, image }) => {
    const id = await image();
    const { text } = (await demo.show(id)).is(200);
    for (const { id: version } of entriesOf(await anonymous.get('/versions'))) {
      const reply = (await demo.get(`/${version}/images/${id}`)).is(200);
      reply.same('the image', reply.json(), JSON.parse(text));
    }
  });

  says('a minor that is not offered is 300', async ({ demo }) => {
    (await demo.get('/v2.99/images')).is(300);
  });

  for (const version of ['v2', 'v2.0', 'v2.7'])
    says(`Accept can carry ${version} instead of the path`, async ({ demo, image }) => {
      const id = await image();
      const headers = { Accept: `application/vnd.openstack.images-${version}` };
      (await demo.get(`/images/${id}`, headers)).is(200).has({ id });
    });

  says('GET /healthcheck is 200 OK without a token', async ({ anonymous }) => {
    const reply = (await anonymous.get('/healthcheck')).is(200);
    reply.same('the body', reply.text.trim(), 'OK');
  });
});
