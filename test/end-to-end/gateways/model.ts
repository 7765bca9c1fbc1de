import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Chance } from '../../faults/chance.ts';
import { until } from '../../support/until.ts';
import type { AlternatingClient } from './client.ts';

/** What one image must look like from every gateway. */
interface Expected {
  status: string;
  name: string;
  hidden: boolean;
  visibility: string;
  readonly tags: Set<string>;
  readonly properties: Map<string, string>;
  readonly members: Map<string, string>;
  bytes: Buffer | null;
}

const weights = {
  create: 12,
  rename: 12,
  hide: 4,
  see: 6,
  property: 12,
  tag: 12,
  member: 10,
  answer: 8,
  upload: 8,
  stage: 8,
  import: 10,
  deactivate: 4,
  reactivate: 6,
  delete: 3,
} as const;

type Step = keyof typeof weights;

/** Random operations on images of one client's own, each compared with a model of what they should come to. */
export function modelled(client: AlternatingClient, chance: Chance, mark: string) {
  const images = new Map<string, Expected>();
  const done: Partial<Record<Step, number>> = {};
  let count = 0;

  const wants = async (status: number, ...request: Parameters<AlternatingClient['send']>) => {
    const answer = await client.send(...request);
    assert.equal(answer.status, status, `${request[0]} ${request[1]}: ${answer.text}`);
    return answer;
  };
  const patched = (id: string, path: string, value: unknown) =>
    wants(200, 'PATCH', `/v2/images/${id}`, { patch: [{ op: 'add', path, value }] });

  /** Gives its id. */
  const create = async (): Promise<string> => {
    const name = `${mark} ${count}`;
    const json = { name, tags: [mark], disk_format: 'raw', container_format: 'bare' };
    const { id } = (await wants(201, 'POST', '/v2/images', { json })).json();
    images.set(String(id), {
      status: 'queued',
      name,
      hidden: false,
      visibility: 'shared',
      tags: new Set([mark]),
      properties: new Map(),
      members: new Map(),
      bytes: null,
    });
    return String(id);
  };

  const steps: Readonly<
    Record<Exclude<Step, 'create'>, (id: string, at: Expected) => Promise<void>>
  > = {
    async rename(id, at) {
      at.name = `${mark} renamed ${count}`;
      await patched(id, '/name', at.name);
    },
    async hide(id, at) {
      at.hidden = !at.hidden;
      await patched(id, '/os_hidden', at.hidden);
    },
    async see(id, at) {
      at.visibility = chance.pick(['public', 'community', 'shared', 'private']);
      await patched(id, '/visibility', at.visibility);
    },
    async property(id, at) {
      const name = `property_${chance.int(4)}`;
      if (at.properties.has(name) && chance.percent(40)) {
        at.properties.delete(name);
        const patch = [{ op: 'remove', path: `/${name}` }];
        await wants(200, 'PATCH', `/v2/images/${id}`, { patch });
        return;
      }
      at.properties.set(name, `value ${count}`);
      await patched(id, `/${name}`, `value ${count}`);
    },
    async tag(id, at) {
      const tag = `tag-${chance.int(4)}`;
      const method = at.tags.has(tag) ? 'DELETE' : 'PUT';
      if (method === 'PUT') at.tags.add(tag);
      else at.tags.delete(tag);
      await wants(204, method, `/v2/images/${id}/tags/${tag}`);
    },
    async member(id, at) {
      const member = `project-${chance.int(3)}`;
      const wrong = at.visibility !== 'shared';
      if (at.members.has(member)) {
        await wants(wrong ? 403 : 204, 'DELETE', `/v2/images/${id}/members/${member}`);
        if (!wrong) at.members.delete(member);
        return;
      }
      await wants(wrong ? 403 : 200, 'POST', `/v2/images/${id}/members`, { json: { member } });
      if (!wrong) at.members.set(member, 'pending');
    },
    async answer(id, at) {
      const [member] = [...at.members.keys()];
      if (member === undefined || at.visibility !== 'shared') return;
      const status = chance.pick(['accepted', 'rejected', 'pending']);
      const token = `somebody:${member}:member`;
      const json = { status };
      await wants(200, 'PUT', `/v2/images/${id}/members/${member}`, { json, token });
      at.members.set(member, status);
    },
    async upload(id, at) {
      const bytes = bytesFor();
      const free = at.status === 'queued';
      await wants(free ? 204 : 409, 'PUT', `/v2/images/${id}/file`, { bytes });
      if (free) Object.assign(at, { status: 'active', bytes });
    },
    async stage(id, at) {
      const bytes = bytesFor();
      const free = at.status === 'queued';
      await wants(free ? 204 : 409, 'PUT', `/v2/images/${id}/stage`, { bytes });
      if (free) Object.assign(at, { status: 'uploading', bytes });
    },
    async import(id, at) {
      const staged = at.status === 'uploading';
      const json = { method: { name: 'glance-direct' } };
      await wants(staged ? 202 : 409, 'POST', `/v2/images/${id}/import`, { json });
      if (!staged) return;
      at.status = 'active';
      await until('the import to end', async () => {
        const { status } = (await client.send('GET', `/v2/images/${id}`)).json();
        assert.ok(['importing', 'active'].includes(String(status)), String(status));
        return status === 'active';
      });
    },
    async deactivate(id, at) {
      const can = at.status === 'active' || at.status === 'deactivated';
      await wants(can ? 204 : 403, 'POST', `/v2/images/${id}/actions/deactivate`);
      if (can) at.status = 'deactivated';
    },
    async reactivate(id, at) {
      const can = at.status === 'active' || at.status === 'deactivated';
      await wants(can ? 204 : 403, 'POST', `/v2/images/${id}/actions/reactivate`);
      if (can) at.status = 'active';
    },
    async delete(id) {
      await wants(204, 'DELETE', `/v2/images/${id}`);
      images.delete(id);
      for (const { status } of await client.each('GET', `/v2/images/${id}`))
        assert.equal(status, 404);
    },
  };

  const bytesFor = (): Buffer =>
    Buffer.from(createHash('sha512').update(`${mark} ${count}`).digest('hex').repeat(100));

  /** Every gateway shows the image as it should be. */
  const compare = async (id: string, at: Expected): Promise<void> => {
    const answers = await client.each('GET', `/v2/images/${id}`);
    for (const answer of answers) {
      assert.equal(answer.status, 200, `${id}: ${answer.text}`);
      const shown = answer.json();
      const known = {
        status: at.status,
        name: at.name,
        os_hidden: at.hidden,
        visibility: at.visibility,
        tags: [...at.tags].sort(),
        size: at.bytes?.length ?? null,
        checksum:
          at.bytes === null || at.status === 'uploading'
            ? null
            : createHash('md5').update(at.bytes).digest('hex'),
      };
      const { tags, ...rest } = shown;
      const seen = { ...rest, tags: (tags as string[]).toSorted() } as Record<string, unknown>;
      for (const [field, value] of Object.entries(known))
        assert.deepEqual(seen[field], value, `${field} of ${id}`);
      const properties = Object.entries(shown).filter(([name]) => name.startsWith('property_'));
      assert.deepEqual(
        new Map(properties),
        new Map([...at.properties].sort()),
        `properties of ${id}`,
      );
    }
    if (at.visibility !== 'shared') return;
    for (const answer of await client.each('GET', `/v2/images/${id}/members`)) {
      const { members } = answer.json() as { members: { member_id: string; status: string }[] };
      const seen = members.map(({ member_id, status }) => [member_id, status] as const);
      assert.deepEqual(new Map(seen), at.members, `members of ${id}`);
    }
  };

  /** Every gateway lists the client's images, and no other, in both listings. */
  const compareLists = async (): Promise<void> => {
    for (const hidden of [false, true]) {
      const wanted = [...images].filter(([, at]) => at.hidden === hidden).map(([id]) => id);
      const query = `tag=${encodeURIComponent(mark)}&os_hidden=${hidden}&visibility=all&limit=1000`;
      for (const answer of await client.each('GET', `/v2/images?${query}`)) {
        const { images: listed } = answer.json() as { images: { id: string }[] };
        assert.deepEqual(listed.map(({ id }) => id).sort(), wanted.sort(), `hidden: ${hidden}`);
      }
    }
  };

  return {
    done,
    async goOn(operations: number): Promise<void> {
      for (const end = count + operations; count < end; count += 1) {
        const step = images.size === 0 ? 'create' : chance.weighted<Step>(weights);
        done[step] = (done[step] ?? 0) + 1;
        const id = step === 'create' ? await create() : chance.pick([...images.keys()]);
        const before = images.get(id);
        if (step !== 'create' && before !== undefined) await steps[step](id, before);
        const after = images.get(id);
        if (after !== undefined) await compare(id, after);
        if (count % 10 === 0) await compareLists();
      }
      for (const [id, at] of images) await compare(id, at);
      await compareLists();
    },
    async downloads(): Promise<void> {
      for (const [id, { bytes, status }] of images)
        if (status === 'active' && bytes !== null)
          for (const answer of await client.each('GET', `/v2/images/${id}/file`))
            assert.ok(answer.bytes.equals(bytes), `bytes of ${id}`);
    },
  };
}
