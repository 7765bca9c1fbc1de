import { randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { set } from '../client.ts';

/** Reference, section 1.3. */
export const errors = section('errors', (says) => {
  for (const accept of ['application/json', 'application/json, text/html;q=0.5'])
    says(`are flat JSON for Accept: ${accept}`, async ({ demo }) => {
      const reply = await demo.get(`/v2/images/${randomUUID()}`, { Accept: accept });
      reply.is(404).header('content-type', /^application\/json/);
      const { message, ...rest } = reply.json();
      reply.same('the rest of the error', rest, { code: '404 Not Found', title: 'Not Found' });
      reply.that('a message that is text', typeof message === 'string');
    });

  for (const accept of ['text/html', '*/*', 'text/html, application/json;q=0.5'])
    says(`are HTML for Accept: ${accept}`, async ({ demo }) => {
      const reply = await demo.get(`/v2/images/${randomUUID()}`, { Accept: accept });
      reply.is(404).header('content-type', /^text\/html/);
      reply.that('the status as title', /<title>404 Not Found<\/title>/.test(reply.text));
      reply.that('the status as heading', /<h1>404 Not Found<\/h1>/.test(reply.text));
    });

  says('are for people when there is no Accept', async ({ demo }) => {
    // HTML by the reference; the original takes no header for an empty one.
    const reply = (await demo.show(randomUUID())).is(404);
    reply.header('content-type', /^text\/(html|plain)/);
  });

  for (const accept of ['image/png', ''])
    says(`are plain text for Accept: "${accept}"`, async ({ demo }) => {
      const reply = await demo.get(`/v2/images/${randomUUID()}`, { Accept: accept });
      reply.is(404).header('content-type', /^text\/plain/);
      reply.that(
        'status line, blank line, explanation',
        /^404 Not Found\r?\n\r?\n./.test(reply.text),
      );
    });

  says('of many kinds say their status in JSON', async ({ demo, viewer, image }) => {
    const id = await image();
    const headers = { Accept: 'application/json', 'Content-Type': 'text/plain' };
    const refusals = [
      [await demo.send('POST', '/v2/images', { headers, body: '{' }), '400 Bad Request'],
      [
        await viewer.send('DELETE', `/v2/images/${id}`, {
          headers: { Accept: 'application/json' },
        }),
        '403 Forbidden',
      ],
      [
        await demo.send('POST', '/v2/images', { headers, body: JSON.stringify({ id }) }),
        '409 Conflict',
      ],
      [
        await demo.send('PUT', `/v2/images/${id}/file`, { headers, body: 'x' }),
        '415 Unsupported Media Type',
      ],
    ] as const;
    for (const [reply, code] of refusals) reply.has({ code, title: code.slice(4) });
  });

  says('never show what was thrown', async ({ demo, image }) => {
    const reply = await demo.patch(await image(), set('min_disk', 'much'));
    reply.is(400);
    reply.that('no stack or file name', !/Traceback|\.(py|ts|js):?\d*/.test(reply.text));
  });
});
