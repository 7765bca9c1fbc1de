import { createHash, randomUUID } from 'node:crypto';
import { section } from '../case.ts';
import { someBytes } from '../site.ts';

const { length } = someBytes;
const md5 = createHash('md5').update(someBytes).digest('hex');
const last = length - 1;

/** Reference, section 8.3. */
export const download = section('download', (says) => {
  says('gives the bytes with type, length and md5', async ({ demo, active }) => {
    const reply = (await demo.download(await active())).is(200);
    reply.that('the bytes', reply.bytes.equals(someBytes));
    reply.header('content-type', 'application/octet-stream');
    reply.header('content-length', String(length));
    reply.header('content-md5', md5);
  });

  says('an image without data is 204 and empty', async ({ demo, image }) => {
    const reply = (await demo.download(await image())).is(204);
    reply.same('the body', reply.text, '');
  });

  says('an unknown image is 404', async ({ demo }) => {
    (await demo.download(randomUUID())).is(404);
  });

  says('a deactivated image is 403, but for admin', async ({ demo, admin, active }) => {
    const id = await active();
    (await demo.post(`/v2/images/${id}/actions/deactivate`)).is(204);
    (await demo.download(id)).is(403);
    (await admin.download(id)).is(200);
    (await demo.post(`/v2/images/${id}/actions/reactivate`)).is(204);
    (await demo.download(id)).is(200);
  });

  const parts: readonly (readonly [string, number, number])[] = [
    ['bytes=0-9', 0, 9],
    ['bytes=5-5', 5, 5],
    ['bytes=100-', 100, last],
    ['bytes=-10', length - 10, last],
    ['bytes=-0', 0, last],
    [`bytes=-${length * 2}`, 0, last],
    [`bytes=0-${last}`, 0, last],
    [`bytes=10-${length * 2}`, 10, last],
    [`bytes=${last}-`, last, last],
  ];
  for (const [range, from, to] of parts)
    says(
      `Range ${range.replace(String(length * 2), 'beyond').replace(String(last), 'last')} is 206`,
      async (site) => {
        const reply = (await site.demo.download(await site.active(), { Range: range })).is(206);
        reply.header('content-range', `bytes ${from}-${to}/${length}`);
        reply.header('content-length', String(to - from + 1));
        reply.header('content-type', 'application/octet-stream');
        reply.header('content-md5', md5);
        reply.that('the bytes', reply.bytes.equals(someBytes.subarray(from, to + 1)));
      },
    );

  for (const range of ['Bytes=3-7', 'bytes= 3-7', 'bytes=3-7 '])
    says(`Range is understood as "${range}" too`, async ({ demo, active }) => {
      const reply = (await demo.download(await active(), { Range: range })).is(206);
      reply.that('the bytes', reply.bytes.equals(someBytes.subarray(3, 8)));
    });

  for (const range of [
    'bytes=5-4',
    `bytes=${length}-`,
    `bytes=${length + 5}-${length + 9}`,
    'bytes=',
    'bytes=a-b',
    'lines=0-9',
    '0-9',
  ])
    says(`Range ${range.replaceAll(/1\d{3}/g, 'beyond')} is 416`, async ({ demo, active }) => {
      (await demo.download(await active(), { Range: range })).is(416);
    });

  says('several ranges are 400', async ({ demo, active }) => {
    (await demo.download(await active(), { Range: 'bytes=0-1,4-5' })).is(400);
  });

  says('Content-Range of the request counts like Range', async ({ demo, active }) => {
    const reply = (await demo.download(await active(), { 'Content-Range': 'bytes 3-7/*' })).is(206);
    reply.header('content-range', `bytes 3-7/${length}`);
    reply.that('the bytes', reply.bytes.equals(someBytes.subarray(3, 8)));
  });

  says('Range wins over Content-Range', async ({ demo, active }) => {
    const headers = { Range: 'bytes=0-1', 'Content-Range': 'bytes 3-7/*' };
    (await demo.download(await active(), headers)).is(206).header('content-length', '2');
  });

  says('Range on an image without data is 416 or 204', async ({ demo, image }) => {
    (await demo.download(await image(), { Range: 'bytes=0-9' })).is(416, 204);
  });

  says('prefer is 400 on a site with a single store', 'single store', async ({ demo, active }) => {
    (await demo.get(`/v2/images/${await active()}/file?prefer=fast`)).is(400);
  });

  says('prefer takes known stores', 'multiple stores', async ({ demo, active, offer }) => {
    const id = await active();
    const ids = offer.stores.map((store) => store.id).join(',');
    (await demo.get(`/v2/images/${id}/file?prefer=${ids}`)).is(200);
    (await demo.get(`/v2/images/${id}/file?prefer=nowhere`)).is(400);
  });
});
