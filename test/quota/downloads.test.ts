import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type FileServer, startFileServer } from '../support/file-server.ts';
import { ask } from '../support/http.ts';
import { until } from '../support/until.ts';
import { mebibyte, type Site, startSite } from './site.ts';

const limit = 10 * mebibyte;
const headers = { 'X-Auth-Token': 'alice:red:member', 'Content-Type': 'application/json' };

let site: Site;
let server: FileServer;
before(async () => {
  server = await startFileServer();
  site = await startSite([
    ...['--user-storage-quota', '10MB', '--image-uploading-quota', '5'],
    ...['--import-plugins', 'image_decompression', '--plugin-expansion-ratio', '100000'],
    ...['--import-allowed-cidrs', '127.0.0.0/8', '--import-allowed-ports', String(server.port)],
  ]);
});
after(async () => {
  await site?.stop();
  await server?.stop();
});

const shown = async (id: string) =>
  (await ask(site.tree.api.url, `/v2/images/${id}`, { headers })).json() as Record<string, string>;

async function download(uri: string): Promise<{ readonly id: string; readonly status: number }> {
  const id = String((await site.post(site.tree.api.url)).json().id);
  const body = JSON.stringify({ method: { name: 'web-download', uri } });
  const { status } = await ask(site.tree.api.url, `/v2/images/${id}/import`, {
    method: 'POST',
    headers,
    body,
  });
  return { id, status };
}

const over = (id: string) =>
  until('the import to be over', async () => {
    const image = await shown(id);
    return image.os_glance_import_task === undefined && image;
  });

/** Nothing stays reserved, and what is used is what is there. */
async function assertSettled(): Promise<void> {
  await until('everything to be settled', async () => (await site.open()).length === 0);
  const { staged, ...usage } = await site.usage();
  assert.equal(staged, 0);
  assert.deepEqual(usage, await site.shown());
}

/** Without a length, so that nobody knows before how much it is. */
const endless = (bytes: number) =>
  server.answer(`/endless/${bytes}`, (_, response) => {
    response.writeHead(200);
    for (let sent = 0; sent < bytes; sent += mebibyte) response.write(Buffer.alloc(mebibyte, 1));
    response.end();
  });

test('a download that has no room is refused by its length, before its bytes come', async () => {
  const uri = server.answer('/huge', (_, response) => {
    response.writeHead(200, { 'Content-Length': limit + 1 });
    response.write('x');
  });
  const { id, status } = await download(uri);
  assert.equal(status, 202);
  const image = await over(id);
  assert.equal(image.status, 'queued');
  assert.match(image.os_glance_failed_upload ?? '', /storage quota/);
  await assertSettled();
});

test('a download whose length nobody knows is broken off when there is no room left', async () => {
  const { id } = await download(endless(limit + mebibyte));
  const image = await over(id);
  assert.equal(image.status, 'queued');
  assert.match(image.os_glance_failed_upload ?? '', /storage quota/);
  await assertSettled();
});

/** What comes is small; what it becomes is not. */
const packed = (bytes: number) =>
  server.put(`/packed/${bytes}`, gzipSync(Buffer.alloc(bytes, 'not a byte of zero')));

test('what is made of a download needs room, too, and is not the image where there is none', async () => {
  const { id } = await download(packed(limit + 1));
  const image = await over(id);
  assert.equal(image.status, 'queued');
  assert.match(image.os_glance_failed_upload ?? '', /storage quota/);
  await assertSettled();
  assert.equal((await site.usage()).bytes, 0);
});

test('what is made of a download counts as what it is, whoever dies meanwhile', async () => {
  await site.tree.dieAt('worker.plugins-done');
  const { id } = await download(packed(2 * mebibyte));
  await until('a process to die', site.tree.died);
  await until('the image to be active', async () => (await shown(id)).status === 'active');
  await assertSettled();
  assert.equal((await site.usage()).bytes, 2 * mebibyte);
  await site.delete(site.tree.api.url, id);
  await assertSettled();
});

test('a download counts once, whoever dies meanwhile', async () => {
  const bytes = 3 * mebibyte;
  for (const step of ['worker.fetch-begun', 'worker.fetch-sealed', 'worker.image-activated']) {
    await site.tree.dieAt(step as 'worker.fetch-begun');
    const { id } = await download(server.put(`/${step}`, Buffer.alloc(bytes, step)));
    await until(`a process to die at ${step}`, site.tree.died);
    await until('the image to be active', async () => (await shown(id)).status === 'active');
    await assertSettled();
  }
  assert.equal((await site.usage()).bytes, 3 * bytes);
});

test('a download of unknown length takes what it brings, to the byte', async () => {
  const { id } = await download(endless(mebibyte));
  assert.equal((await over(id)).status, 'active');
  await assertSettled();
  assert.equal((await site.usage()).bytes, limit);
  const more = await download(server.put('/more', Buffer.from('more')));
  assert.match((await over(more.id)).os_glance_failed_upload ?? '', /storage quota/);
});
