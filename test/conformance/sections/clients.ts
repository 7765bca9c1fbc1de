import { createHash } from 'node:crypto';
import { section } from '../case.ts';
import { patchType } from '../client.ts';
import { someBytes } from '../site.ts';

const nothing = new Uint8Array();
const digest = (algorithm: string, bytes: Uint8Array) =>
  createHash(algorithm).update(bytes).digest('hex');

/** Reference, section 23. */
export const clients = section('clients', (says) => {
  for (const format of ['qcow2', 'vhd', 'vmdk', 'raw'])
    says(`Nova uploads nothing as ${format} and gets an active image`, async ({ demo, image }) => {
      const id = await image({ disk_format: format });
      (await demo.upload(id, nothing, { 'Content-Length': 0 })).is(204);
      (await demo.show(id)).has({
        status: 'active',
        size: 0,
        checksum: digest('md5', nothing),
        os_hash_value: digest('sha512', nothing),
      });
    });

  says('a declared size of 0 means that it is unknown', async ({ demo, image }) => {
    const headers = { 'X-OpenStack-Image-Size': 0, 'Transfer-Encoding': 'chunked' };
    (await demo.upload(await image(), someBytes, headers)).is(204);
  });

  says('glanceclient sends a type on requests without body', async (site) => {
    const { demo } = site;
    const id = await site.active({ tags: ['t'] });
    const headers = { 'Content-Type': 'application/octet-stream', Accept: '*/*' };
    const ask = (method: string, path: string) => demo.send(method, path, { headers });
    (await ask('GET', '/v2/schemas/image')).is(200);
    (await ask('GET', `/v2/images/${id}`)).is(200);
    (await ask('POST', `/v2/images/${id}/actions/deactivate`)).is(204);
    (await ask('PUT', `/v2/images/${id}/tags/u`)).is(204);
    (await ask('DELETE', `/v2/images/${id}/tags/t`)).is(204);
    (await ask('DELETE', `/v2/images/${id}`)).is(204);
  });

  says('glanceclient asks for pages of 200', async ({ demo }) => {
    (await demo.get('/v2/images?limit=20')).is(200);
    (await demo.get('/v2/images?limit=200&sort_key=name&sort_dir=asc')).is(200);
  });

  says('the SDK sends an empty Accept on PATCH and upload', async ({ demo, image }) => {
    const id = await image();
    const patched = await demo.send('PATCH', `/v2/images/${id}`, {
      headers: { Accept: '', 'Content-Type': patchType },
      body: JSON.stringify([{ op: 'add', path: '/colour', value: 'red' }]),
    });
    patched.is(200).has({ colour: 'red' });
    (await demo.upload(id, someBytes, { Accept: '' })).is(204);
  });

  says('the SDK keeps its own properties', async ({ demo, unique, image }) => {
    const given = {
      name: unique(),
      'owner_specified.openstack.md5': digest('md5', someBytes),
      'owner_specified.openstack.sha256': digest('sha256', someBytes),
      'owner_specified.openstack.object': 'images/x',
    };
    const id = await image(given);
    (await demo.show(id)).is(200).has(given);
    (await demo.get(`/v2/images?name=${given.name}&os_hidden=true`)).is(200).has({ images: [] });
  });

  says('Nova keeps its properties as text', async ({ demo, image }) => {
    const given = {
      hw_disk_bus: 'virtio',
      bdm_v2: 'True',
      root_device_name: '/dev/vda',
      block_device_mapping: JSON.stringify([{ boot_index: 0, snapshot_id: 'x' }]),
      mappings: '[]',
    };
    (await demo.show(await image(given))).is(200).has(given);
  });

  says('a web-download of a bad URL is 400', 'web-download', async ({ demo, image }) => {
    const body = { method: { name: 'web-download', uri: 'bad_url' } };
    (await demo.post(`/v2/images/${await image()}/import`, body)).is(400);
  });
});
