import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { admin, alice, bob, reader, startGateway } from '../support/gateway.ts';
import { get } from '../support/raw-http.ts';

/** Those of an answer that differ from request to request. */
const ownHeaders = ['date', 'x-openstack-request-id'];

describe('plain reads, which are answered ahead of the application', () => {
  test('get the answer, header by header and byte by byte, that the application gives', async (t) => {
    const gateway = await startGateway(t);
    const ids = [
      await gateway.create({ name: 'eins', tags: ['b', 'a'], os_distro: 'debian' }),
      await gateway.create({ name: 'ünï', visibility: 'public' }, admin),
      await gateway.create({ name: 'blue' }, bob),
    ];
    const reads = [
      ...[...ids, randomUUID(), 'nonsense', ids[0]?.toUpperCase()].map((id) => `/images/${id}`),
      ...['', '?', '?limit=2', '?limit=1&limit=2', '?name=eins', '?name=in:eins,blue', '?tag=a'],
      ...['?limit=x', '?visibility=public&sort=name:asc', '?os_distro=debian', '?name=%ff'],
      ...[`?marker=${ids[0]}`, `?marker=${ids[2]}`, `?marker=${randomUUID()}`, '/', '?a=b#c'],
    ].map((path) => (path.startsWith('/images') ? path : `/images${path}`));
    for (const token of [alice, bob, reader, admin, ''])
      for (const path of reads) {
        // A version in the path is the application's to find out.
        const [quick, slow] = await Promise.all([
          get(gateway.url, `/v2${path}`, { 'X-Auth-Token': token }),
          get(gateway.url, `/v2.17${path}`, { 'X-Auth-Token': token }),
        ]);
        for (const name of ownHeaders) {
          assert.ok(quick.headers[name] !== undefined, name);
          delete quick.headers[name];
          delete slow.headers[name];
        }
        assert.deepEqual(quick, slow, `${token} ${path}`);
      }
  });

  test('take part in request ids, versions and pages of other origins as every request does', async (t) => {
    const gateway = await startGateway(t, {
      change: (ports) => ({ ...ports, origins: ['https://horizon.example'] }),
    });
    const id = await gateway.create();
    const ask = (headers: Record<string, string>, path = `/v2/images/${id}`) =>
      get(gateway.url, path, { 'X-Auth-Token': alice, ...headers });
    const own = await ask({ 'X-OpenStack-Request-ID': 'req-mine' });
    assert.equal(own.headers['x-openstack-request-id'], 'req-mine');
    assert.equal((await ask({ 'X-OpenStack-Request-ID': 'x'.repeat(65) })).status, 431);
    const crossing = await ask({ Origin: 'https://horizon.example' });
    assert.equal(crossing.headers['access-control-allow-origin'], 'https://horizon.example');
    const versioned = { Accept: 'application/vnd.openstack.images-v9' };
    assert.equal((await ask(versioned)).status, 300);
  });

  test('show at once what was changed, and to nobody what was taken from his sight', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ name: 'old', visibility: 'public' }, admin);
    const seen = async (token: string) => {
      const { status, body } = await get(gateway.url, `/v2/images/${id}`, {
        'X-Auth-Token': token,
      });
      const list = await get(gateway.url, '/v2/images', { 'X-Auth-Token': token });
      const names = JSON.parse(list.body).images.map(({ name }: { name: string }) => name);
      return [status === 200 ? JSON.parse(body).name : status, names];
    };
    const change = async (path: string, value: string): Promise<void> => {
      const { status } = await gateway.ask(`/v2/images/${id}`, {
        method: 'PATCH',
        token: admin,
        headers: { 'Content-Type': 'application/openstack-images-v2.1-json-patch' },
        body: JSON.stringify([{ op: 'replace', path, value }]),
      });
      assert.equal(status, 200);
    };
    assert.deepEqual(await seen(bob), ['old', ['old']]);
    await change('/name', 'new');
    assert.deepEqual(await seen(bob), ['new', ['new']]);
    await change('/visibility', 'private');
    assert.deepEqual(await seen(bob), [404, []]);
    assert.deepEqual(await seen(admin), ['new', ['new']]);
  });

  test('that are refused are recorded once', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    assert.equal((await gateway.ask(`/v2/images/${id}`, { token: bob })).status, 404);
    const refused = (await gateway.ports.log.readAll(0n, 100)).filter(
      ({ type }) => type === 'RequestRefused',
    );
    assert.equal(refused.length, 1);
  });
});
