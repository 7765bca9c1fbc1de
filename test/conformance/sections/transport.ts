import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Reference, sections 1.1 and 1.2. */
export const transport = section('transport', (says) => {
  says('an unknown path is 404', async ({ demo }) => {
    for (const path of ['/v2/nothing', '/v2/images/', `/v2/images/${randomUUID()}/nothing`])
      (await demo.get(path)).is(404);
  });

  const refused: readonly (readonly [string, string, readonly string[]])[] = [
    ['PUT', '/v2/images', ['GET', 'POST']],
    ['DELETE', '/v2/images', ['GET', 'POST']],
    ['POST', '/v2/images/ID', ['DELETE', 'GET', 'PATCH']],
    ['GET', '/v2/images/ID/actions/deactivate', ['POST']],
    ['GET', '/v2/images/ID/tags/x', ['DELETE', 'PUT']],
    ['POST', '/v2/schemas/image', ['GET']],
    ['DELETE', '/v2/tasks/ID', ['GET']],
    ['POST', '/v2/info/import', ['GET']],
  ];
  for (const [method, path, allowed] of refused)
    says(`${method} ${path} is 405 and Allow names what is allowed`, async ({ admin }) => {
      const reply = (await admin.send(method, path.replace('ID', randomUUID()))).is(405);
      const allow = String(reply.headers.allow ?? '');
      const named = allow.split(', ').sort();
      reply.same('Allow, sorted,', named, [...allowed]);
    });

  for (const path of ['/v2/images', `/v2/images/ID`])
    says(`HEAD ${path} is 405`, async ({ demo }) => {
      (await demo.send('HEAD', path.replace('ID', randomUUID()))).is(405);
    });

  says('a method that no resource has is 501 on an unknown path', async ({ demo }) => {
    (await demo.send('PROPFIND', '/v2/nothing')).is(501);
  });

  says('a method that no resource has is 405 on a known path', async ({ demo }) => {
    (await demo.send('PROPFIND', '/v2/images')).is(405).header('allow', /GET/);
  });

  for (const path of ['/v2/images', '/v2/images/ID', '/v2/nothing', '/'])
    says(`OPTIONS ${path} is 200 and empty, with or without a token`, async (site) => {
      for (const client of [site.demo, site.anonymous]) {
        const reply = (await client.send('OPTIONS', path.replace('ID', randomUUID()))).is(200);
        reply.same('the body', reply.text, '');
        reply.header('access-control-allow-origin', undefined);
      }
    });

  says('OPTIONS of an origin that is not known allows it nothing', async ({ anonymous }) => {
    const headers = { Origin: 'https://nobody.invalid', 'Access-Control-Request-Method': 'GET' };
    const reply = (await anonymous.send('OPTIONS', '/v2/images', { headers })).is(200);
    reply.header('access-control-allow-origin', undefined);
  });

  for (const type of ['text/plain', 'application/octet-stream', 'application/xml', undefined])
    says(`a body is read as JSON when its Content-Type is ${type}`, async ({ demo, unique }) => {
      const name = unique();
      const headers = type === undefined ? {} : { 'Content-Type': type };
      const body = JSON.stringify({ name });
      (await demo.send('POST', '/v2/images', { headers, body })).is(201).has({ name });
    });

  for (const [what, body] of [
    ['text', '"image"'],
    ['a number', '3'],
    ['null', 'null'],
    ['true', 'true'],
  ] as const)
    says(`a JSON body that is ${what} is 400`, async ({ demo }) => {
      (await demo.send('POST', '/v2/images', { body })).is(400);
    });

  for (const body of ['{"name": ', '{name: "x"}', "{'name': 'x'}", '{"name": "x"} more'])
    says(`malformed JSON is 400: ${body}`, async ({ demo }) => {
      (await demo.send('POST', '/v2/images', { body })).is(400);
    });

  says('an absent body is 400 where one is needed', async ({ demo, image }) => {
    const id = await image();
    (await demo.post('/v2/images')).is(400);
    (
      await demo.send('PATCH', `/v2/images/${id}`, {
        headers: { 'Content-Type': 'application/openstack-images-v2.1-json-patch' },
      })
    ).is(400);
  });

  says('a body that is not UTF-8 is 400', async ({ demo }) => {
    const body = Buffer.from('{"name": "\xff\xfe"}', 'latin1');
    (await demo.send('POST', '/v2/images', { body })).is(400);
  });

  for (const path of ['/v2/images/ID', '/v2/images/ID/file', '/v2/schemas/image'])
    says(`GET ${path} with a body is 400`, async ({ demo, image }) => {
      const id = await image();
      (await demo.send('GET', path.replace('ID', id), { body: '{}' })).is(400);
    });

  says('PUT of a tag with a body is 400', async ({ demo, image }) => {
    const id = await image();
    (await demo.send('PUT', `/v2/images/${id}/tags/x`, { body: '{}' })).is(400);
  });

  says('DELETE of a tag with a body is 400', async ({ demo, image }) => {
    const id = await image({ tags: ['x'] });
    (await demo.send('DELETE', `/v2/images/${id}/tags/x`, { body: '{}' })).is(400);
  });

  says('an action with a body is 400', async ({ demo, active }) => {
    const id = await active();
    (await demo.send('POST', `/v2/images/${id}/actions/deactivate`, { body: '{}' })).is(400);
  });

  says('an action with a chunked body is 400', async ({ demo, active }) => {
    const id = await active();
    const headers = { 'Transfer-Encoding': 'chunked' };
    const path = `/v2/images/${id}/actions/deactivate`;
    (await demo.send('POST', path, { headers, body: '{}' })).is(400);
  });

  says('an URL that cannot be decoded is 400', async ({ demo }) => {
    (await demo.get('/v2/images/%ff%fe')).is(400);
  });

  says('JSON is UTF-8 with everything unescaped', async ({ demo }) => {
    const name = 'Zdjęcie 画像';
    const reply = (await demo.post('/v2/images', { name })).is(201);
    reply.header('content-type', /^application\/json(; ?charset=utf-8)?$/i);
    reply.that('the name as it is', reply.text.includes(name));
  });

  says('timestamps are whole seconds in UTC', async ({ demo, image }) => {
    const reply = (await demo.show(await image())).is(200);
    const { created_at, updated_at } = reply.json();
    reply.that('created_at as YYYY-MM-DDThh:mm:ssZ', timestamp.test(String(created_at)));
    reply.that('updated_at as YYYY-MM-DDThh:mm:ssZ', timestamp.test(String(updated_at)));
  });

  says('Location is an absolute URL', async ({ demo, base }) => {
    const reply = (await demo.post('/v2/images', {})).is(201);
    reply.header('location', `${base}/v2/images/${reply.json().id}`);
  });

  says('every answer has a request id', async ({ demo }) => {
    (await demo.get('/v2/images?limit=1')).is(200).header('x-openstack-request-id', /^req-/);
    (await demo.show(randomUUID())).is(404).header('x-openstack-request-id', /^req-/);
  });

  says('a request id that the client gives is taken', async ({ demo }) => {
    const id = `req-${randomUUID()}`;
    const reply = await demo.get('/v2/images?limit=1', { 'X-OpenStack-Request-ID': id });
    reply.is(200).header('x-openstack-request-id', id);
  });

  says('a request id without req- gets it in front', async ({ demo }) => {
    const id = randomUUID();
    const reply = await demo.get('/v2/images?limit=1', { 'X-OpenStack-Request-ID': id });
    reply.is(200).header('x-openstack-request-id', `req-${id}`);
  });

  says('a request id longer than 64 characters is 431', async ({ demo }) => {
    const ask = (length: number) =>
      demo.get('/v2/images?limit=1', { 'X-OpenStack-Request-ID': 'r'.repeat(length) });
    (await ask(65)).is(431);
    (await ask(64)).is(200);
  });

  says('there is no ETag, Last-Modified or Cache-Control', async ({ demo, active }) => {
    const id = await active();
    for (const path of [`/v2/images/${id}`, `/v2/images/${id}/file`, '/v2/images?limit=1'])
      for (const name of ['etag', 'last-modified', 'cache-control'])
        (await demo.get(path)).is(200).header(name, undefined);
  });

  for (const [method, path] of [
    ['GET', '/v2/images'],
    ['POST', '/v2/images'],
    ['GET', '/v2/images/ID'],
    ['GET', '/v2/images/ID/file'],
    ['GET', '/v2/schemas/image'],
    ['GET', '/v2/info/import'],
    ['GET', '/v2/tasks'],
  ] as const)
    says(`${method} ${path} without a good token is 401`, 'keystone', async (site) => {
      for (const client of [site.anonymous, site.forged])
        (await client.send(method, path.replace('ID', randomUUID())))
          .is(401)
          .header('www-authenticate', /^Keystone uri=/);
    });
});
