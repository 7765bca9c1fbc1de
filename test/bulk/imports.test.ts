import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { admin, alice, bob, reader } from '../support/gateway.ts';
import { hex } from '../support/gateway-worker.ts';
import { until } from '../support/until.ts';
import { type BulkSite, bulkSite, imageOf } from './site.ts';

const url = (name: string): string => `http://mirror.example.org/${name}.qcow2`;

/** Puts as many pages up, and gives the manifest of them. */
function mirror({ pages }: BulkSite, count: number) {
  const names = Array.from({ length: count }, (_, index) => `image-${index}`);
  for (const name of names) pages.set(url(name), Buffer.from(`bytes of ${name}`));
  return { images: names.map((name) => ({ name, source: url(name), tags: ['mirrored'] })) };
}

describe('a bulk import', () => {
  test('makes each image with its bytes and all that the manifest says of it', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    site.pages.set(url('debian'), Buffer.from('debian'));
    const given = randomUUID();
    const id = await site.request({
      defaults: { properties: { os_distro: 'debian' }, min_disk: 2 },
      images: [
        {
          name: 'debian',
          id: given,
          source: url('debian'),
          checksum: `sha256:${hex('sha256', Buffer.from('debian'))}`,
          properties: { os_version: '12' },
          tags: ['stable'],
          members: ['blue'],
          protected: true,
        },
      ],
    });
    const { status, counts, bytes } = await site.over(id);
    assert.equal(status, 'completed');
    assert.equal(counts.done, 1);
    assert.equal(bytes, 6);
    const image = await imageOf(site.gateway, given);
    assert.equal(image.status, 'active');
    assert.equal(image.os_distro, 'debian');
    assert.equal(image.os_version, '12');
    assert.equal(image.min_disk, 2);
    assert.equal(image.protected, true);
    assert.deepEqual(image.tags, ['stable']);
    const members = await site.gateway.ask(`/v2/images/${given}/members`);
    assert.equal((members.json().members as { member_id: string }[])[0]?.member_id, 'blue');
    const [first] = (await site.log.readStream(`image-${given}`)).events;
    assert.equal(first?.metadata.bulkImport, id);
    assert.deepEqual(first?.metadata.actor.kind, 'user');
    assert.equal(first?.metadata.rule, 'add_image');
  });

  test('done twice is done once, whatever the second is called', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const manifest = mirror(site, 12);
    const first = await site.request(manifest);
    assert.equal((await site.over(first)).counts.done, 12);
    const second = await site.request({ ...manifest, name: 'again' });
    assert.equal((await site.over(second)).counts.skipped, 12);
    assert.equal(site.fetched.length, 12);
    const images = (await site.gateway.ask('/v2/images?limit=100')).json().images;
    assert.equal((images as object[]).length, 12);
  });

  test('changes what the manifest says otherwise, and nothing else', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const manifest = mirror(site, 2);
    await site.over(await site.request(manifest));
    const [one, two] = manifest.images;
    const changed = {
      images: [{ ...one, properties: { os_distro: 'debian' }, tags: ['new'] }, two],
    };
    const dry = await site.ask(changed, '?dry_run=true');
    assert.deepEqual(
      (dry.json().items as { action: string; changes: string[] }[]).map(({ action, changes }) => [
        action,
        changes,
      ]),
      [
        ['update', ['tags', 'properties.os_distro']],
        ['skip', []],
      ],
    );
    const id = await site.request(changed);
    const { counts } = await site.over(id);
    assert.equal(counts.updated, 1);
    assert.equal(counts.skipped, 1);
    const [item] = await site.items(id, '?status=updated');
    const image = await imageOf(site.gateway, item?.image ?? '');
    assert.deepEqual(image.tags, ['new']);
    assert.equal(image.os_distro, 'debian');
    assert.equal(site.fetched.length, 2);
  });

  test('takes what is there by another name of the source for what it is, by its checksum', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const bytes = Buffer.from('same');
    site.pages.set(url('a'), bytes).set(url('b'), bytes);
    const checksum = hex('sha512', bytes);
    await site.over(await site.request({ images: [{ name: 'x', source: url('a'), checksum }] }));
    const id = await site.request({ images: [{ name: 'x', source: url('b'), checksum }] });
    assert.equal((await site.over(id)).counts.skipped, 1);
    assert.deepEqual(site.fetched, [url('a')]);
  });

  test('makes an image again that was deleted, under another id, unless the manifest names that', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const manifest = mirror(site, 1);
    const first = await site.request(manifest);
    await site.over(first);
    const [made] = await site.items(first);
    const image = made?.image ?? '';
    await site.gateway.ask(`/v2/images/${image}`, { method: 'DELETE' });
    const second = await site.request(manifest);
    assert.equal((await site.over(second)).counts.done, 1);
    const [again] = await site.items(second);
    assert.notEqual(again?.image, image);
    const named = { images: manifest.images.map((one) => ({ ...one, id: image })) };
    const third = await site.request(named);
    assert.equal((await site.over(third)).counts.failed, 1);
    assert.equal((await site.items(third))[0]?.reason, 'id-spent');
  });

  test('never takes the image of another project for its own', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const manifest = mirror(site, 1);
    const dry = (await site.ask(manifest, '?dry_run=true')).json().items as { image: string }[];
    const foreseen = dry[0]?.image ?? '';
    await site.gateway.create({ id: foreseen, visibility: 'community' }, bob);
    const id = await site.request(manifest);
    assert.equal((await site.over(id)).counts.done, 1);
    assert.notEqual((await site.items(id))[0]?.image, foreseen);
  });

  test('says why what fails fails, and tries it again when asked', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const manifest = mirror(site, 3);
    site.pages.set(url('image-1'), { fails: 'source-gone' });
    const id = await site.request(manifest);
    const { counts, status } = await site.over(id);
    assert.deepEqual([status, counts.done, counts.failed], ['completed', 2, 1]);
    const [failed, ...others] = await site.items(id, '?status=failed');
    assert.equal(others.length, 0);
    assert.equal(failed?.reason, 'source-gone');
    assert.match(failed?.message ?? '', /does not have it/);
    site.pages.set(url('image-1'), Buffer.from('now'));
    assert.equal((await site.change(id, 'retry')).status, 200);
    const again = await until('the second end', async () => {
      const shown = await site.show(id);
      return shown.status === 'completed' && shown.counts.failed === 0 ? shown : undefined;
    });
    assert.deepEqual([again.counts.done, again.attempt], [3, 2]);
    assert.equal(site.fetched.length, 4);
    assert.equal((await site.items(id))[1]?.attempt, 2);
  });

  test('that is paused begins nothing, until it is resumed', async (t) => {
    const site = await bulkSite(t);
    site.gate.tickets = 0;
    site.runner({ limits: { total: 3, project: 0, host: 0 } });
    const id = await site.request(mirror(site, 20));
    await until('three in work', async () => (await site.show(id)).counts.fetching === 3);
    assert.equal((await site.change(id, 'pause')).json().status, 'paused');
    site.gate.tickets = Number.POSITIVE_INFINITY;
    await until('those to end', async () => (await site.show(id)).counts.done === 3);
    assert.deepEqual((await site.show(id)).counts.pending, 17);
    assert.equal((await site.change(id, 'resume')).json().status, 'running');
    assert.equal((await site.over(id)).counts.done, 20);
    assert.equal(site.fetched.length, 20);
  });

  test('that is cancelled leaves no image without bytes behind', async (t) => {
    const site = await bulkSite(t);
    site.gate.tickets = 5;
    site.runner({ limits: { total: 3, project: 0, host: 0 } });
    const manifest = mirror(site, 20);
    const id = await site.request(manifest);
    await until('five to be done', async () => (await site.show(id)).counts.done === 5);
    await site.change(id, 'cancel');
    const { status, counts } = await site.over(id);
    assert.equal(status, 'cancelled');
    assert.deepEqual([counts.done, counts.cancelled], [5, 15]);
    site.gate.tickets = Number.POSITIVE_INFINITY;
    const images = (await site.gateway.ask('/v2/images?limit=100')).json().images as {
      status: string;
    }[];
    assert.ok(images.every((one) => one.status === 'active'));
    assert.equal(images.length, 5);
    assert.equal((await site.items(id, '?status=cancelled&limit=100')).length, counts.cancelled);
    assert.equal((await site.change(id, 'retry')).status, 409);
    const again = await site.request(manifest);
    const over = await site.over(again);
    assert.deepEqual([over.counts.done, over.counts.skipped], [15, 5]);
  });

  test('of higher priority goes first, and one host does not hold up another', async (t) => {
    const site = await bulkSite(t);
    const low = mirror(site, 5);
    const high = {
      images: low.images.map((one) => ({ ...one, source: one.source.replace('mirror', 'm2') })),
    };
    for (const { source } of high.images) site.pages.set(source, Buffer.from(source));
    const first = await site.request({ ...low, priority: 'low' });
    const second = await site.request({ ...high, priority: 'high' });
    site.runner({ limits: { total: 1, project: 0, host: 0 } });
    await site.over(first);
    await site.over(second);
    assert.ok(
      site.fetched.slice(0, 5).every((uri) => uri.startsWith('http://m2.')),
      String(site.fetched),
    );
  });

  test('goes on where a runner was that is gone, and two at once make nothing twice', async (t) => {
    const site = await bulkSite(t);
    const manifest = mirror(site, 60);
    const id = await site.request(manifest);
    for (let kills = 0; kills < 4; kills += 1) {
      const one = site.runner();
      const before = (await site.show(id)).counts.done ?? 0;
      await until('some more', async () => {
        const { status, counts } = await site.show(id);
        return status === 'completed' || (counts.done ?? 0) > before;
      });
      await one.stop();
    }
    site.runner();
    site.runner();
    assert.equal((await site.over(id)).counts.done, 60);
    assert.deepEqual([...site.fetched].sort(), manifest.images.map(({ source }) => source).sort());
  });

  test('waits for bytes that whoever asked uploads, and looks at what they are', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const bytes = Buffer.from('from a laptop');
    const id = await site.request({
      images: [
        { name: 'right', source: 'upload:a.raw', checksum: hex('sha512', bytes) },
        { name: 'wrong', source: 'upload:b.raw', checksum: hex('md5', Buffer.from('other')) },
      ],
    });
    const items = await until('both images', async () => {
      const found = await site.items(id);
      const shown = await Promise.all(
        found.map(({ image }) => site.gateway.ask(`/v2/images/${image}`)),
      );
      return shown.every(({ status }) => status === 200) ? found : undefined;
    });
    for (const { image } of items) {
      const answer = await site.gateway.upload(image, bytes);
      assert.equal(answer.status, 204, answer.text);
    }
    const { counts } = await site.over(id);
    assert.deepEqual([counts.done, counts.failed], [1, 1]);
    assert.equal((await site.items(id, '?status=failed'))[0]?.reason, 'digest-mismatch');
  });
});

describe('the API of bulk imports', () => {
  test('is for members of the project, for administrators, and to look at for readers', async (t) => {
    const site = await bulkSite(t);
    const id = await site.request(mirror(site, 1));
    const statusFor = async (token: string, path: string, method = 'GET') =>
      (await site.gateway.ask(`/bulk/v1/imports${path}`, { token, method })).status;
    for (const path of [`/${id}`, `/${id}/items`, `/${id}/report`]) {
      assert.equal(await statusFor(alice, path), 200, path);
      assert.equal(await statusFor(reader, path), 200, path);
      assert.equal(await statusFor(admin, path), 200, path);
      assert.equal(await statusFor(bob, path), 404, path);
    }
    for (const verb of ['pause', 'resume', 'cancel']) {
      assert.equal(await statusFor(bob, `/${id}/${verb}`, 'POST'), 404);
      assert.equal(await statusFor(reader, `/${id}/${verb}`, 'POST'), 403);
      assert.equal(await statusFor(admin, `/${id}/${verb}`, 'POST'), 200);
    }
    assert.equal((await site.ask(mirror(site, 1), '', reader)).status, 403);
    const lists = async (token: string) =>
      ((await site.gateway.ask('/bulk/v1/imports', { token })).json().imports as object[]).length;
    assert.deepEqual([await lists(alice), await lists(bob), await lists(admin)], [1, 0, 1]);
  });

  test('refuses at once what the API would refuse image by image', async (t) => {
    const site = await bulkSite(t);
    const image = { name: 'a', source: url('a') };
    const refused = async (more: object, token = alice) => {
      const answer = await site.ask(
        { images: [image, { ...image, name: 'b', ...more }] },
        '',
        token,
      );
      return [answer.status, answer.text] as const;
    };
    const [status, text] = await refused({ visibility: 'public' });
    assert.equal(status, 403);
    assert.match(text, /image 2, b: /);
    assert.equal((await refused({ owner: 'blue' }))[0], 403);
    assert.equal((await refused({ owner: 'blue', visibility: 'public' }, admin))[0], 202);
    const [long, why] = await refused({ tags: Array.from({ length: 200 }, (_, tag) => `t${tag}`) });
    assert.equal(long, 400);
    assert.match(why, /image 2: .*tags/);
  });

  test('tells of an import as events to its owner, item by item', async (t) => {
    const site = await bulkSite(t);
    site.runner();
    const id = await site.request(mirror(site, 2));
    await site.over(id);
    const typesFor = async (token: string) => {
      const answer = await site.gateway.ask('/events/v1?limit=1000', { token });
      return (answer.json().events as { type: string; subject: string }[])
        .filter(({ subject }) => subject === `import/${id}`)
        .map(({ type }) => type.replace('daguerre.v1.import.', ''));
    };
    assert.deepEqual(await typesFor(alice), [
      'BulkImportRequested',
      'BulkItemSettled',
      'BulkItemSettled',
      'BulkImportCompleted',
    ]);
    assert.deepEqual(await typesFor(bob), []);
  });

  test('gives pages of items, a report as JSON and as CSV, and progress as a stream', async (t) => {
    const site = await bulkSite(t);
    const manifest = mirror(site, 5);
    site.pages.delete(url('image-3'));
    const images = manifest.images.map((one, index) => ({
      ...one,
      name: index === 4 ? '=1+1' : one.name,
    }));
    const id = await site.request({ images });
    const streaming = site.gateway.ask(`/bulk/v1/imports/${id}/stream`);
    site.runner();
    await site.over(id);
    const page = await site.gateway.ask(`/bulk/v1/imports/${id}/items?limit=2`);
    assert.equal(page.json().next, '1');
    const next = await site.items(id, '?limit=2&marker=1');
    assert.deepEqual(
      next.map(({ item }) => item),
      [2, 3],
    );
    const report = (await site.gateway.ask(`/bulk/v1/imports/${id}/report`)).json();
    assert.equal((report.items as object[]).length, 5);
    const csv = await site.gateway.ask(`/bulk/v1/imports/${id}/report?format=csv`);
    const lines = csv.text.trim().split('\n');
    assert.equal(lines.length, 6);
    assert.match(lines[4] ?? '', /^3,image-3,failed,source-gone,/);
    assert.match(lines[5] ?? '', /^4,'=1\+1,done/);
    const { text, headers } = await streaming;
    assert.match(String(headers['content-type']), /^text\/event-stream/);
    const last = text.trim().split('\n').at(-1) ?? '';
    assert.equal(JSON.parse(last.replace('data: ', '')).status, 'completed');
  });

  test('gives up an import whose items were not all listed', async (t) => {
    const site = await bulkSite(t);
    const id = await site.request(mirror(site, 1));
    const [requested] = (await site.log.readStream(`import-${id}`)).events;
    const cutOff = randomUUID();
    assert.ok(requested);
    await site.log.append(`import-${cutOff}`, [{ ...requested, id: randomUUID() }], -1);
    site.runner({ wallClock: () => Date.now() + 3_600_000 });
    assert.equal((await site.over(cutOff)).status, 'abandoned');
  });
});
