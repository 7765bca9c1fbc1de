import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';

const admin = 'root:office:admin';
/** The columns of the table below, in their order. The image belonged to `former`, and now to `owners`. */
const callers = {
  administrator: admin,
  auditor: 'otto:office:auditor',
  'member of the owner': 'olga:owners:member',
  'reader of the owner': 'omar:owners:reader',
  'nobody of the owner': 'nina:owners:',
  'member of the former owner': 'fred:former:member',
  'accepted member': 'anna:accepted:member',
  stranger: 'sven:strangers:member',
  service: 'nova:services:service',
  'who has no project': 'olga::member',
} as const;

/** As of the image's history. Which downloads are told, by who downloaded; or the status. `F` is fred, in his time, `A` anna and `O` olga in the new owner's. */
const expected: Readonly<Record<string, readonly string[]>> = {
  community: ['FAO', 'FAO', 'AO', 'AO', '403', 'F', '403', '403', '404', '403'],
  private: ['FAO', 'FAO', 'AO', 'AO', '403', 'F', '404', '404', '404', '404'],
  deleted: ['FAO', 'FAO', 'AO', 'AO', '403', 'F', '404', '404', '404', '404'],
};
const ofEverything = ['FAO', 'FAO', 'AO', 'AO', '403', 'F', '', '', '403', '403'];
const ofNothing = ['404', '404', '404', '404', '404', '404', '404', '404', '404', '404'];

const initials: Readonly<Record<string, string>> = { fred: 'F', anna: 'A', olga: 'O' };

async function told(gateway: TestGateway, path: string): Promise<readonly string[]> {
  const row: string[] = [];
  for (const token of Object.values(callers)) {
    const { status, json } = await gateway.ask(path, { token });
    const downloads = status === 200 ? (json().downloads as { actor: { user_id: string } }[]) : [];
    row.push(
      status === 200
        ? downloads.map(({ actor }) => initials[actor.user_id]).join('')
        : String(status),
    );
  }
  return row;
}

async function imageIn(gateway: TestGateway, state: string): Promise<string> {
  const id = await gateway.createActive(Buffer.from('bytes'), { visibility: 'private' });
  const path = `/v2/images/${id}`;
  const change = async (field: string, value: string): Promise<void> => {
    const changed = await gateway.patch(path, [{ op: 'replace', path: `/${field}`, value }], admin);
    assert.equal(changed.status, 200, changed.text);
  };
  const download = async (token: string): Promise<void> =>
    assert.equal((await gateway.ask(`${path}/file`, { token })).status, 200);
  await change('owner', 'former');
  await download('fred:former:member');
  await change('owner', 'owners');
  await change('visibility', 'community');
  await download('anna:accepted:member');
  await download('olga:owners:member');
  if (state !== 'community') await change('visibility', 'private');
  if (state === 'deleted') await gateway.ask(path, { method: 'DELETE', token: admin });
  return id;
}

describe('who may see who downloaded', () => {
  for (const [state, row] of Object.entries(expected))
    test(`an image that is ${state}`, async (t) => {
      const gateway = await startGateway(t);
      const id = await imageIn(gateway, state);
      assert.deepEqual(await told(gateway, `/history/v1/images/${id}/downloads`), row);
      assert.deepEqual(await told(gateway, `/history/v1/downloads?object=${id}`), ofEverything);
      assert.deepEqual(await told(gateway, '/history/v1/downloads?actor=anna'), [
        ...['A', 'A', 'A', 'A', '403', '', '', '', '403', '403'],
      ]);
    });

  test('an image that never was', async (t) => {
    const gateway = await startGateway(t);
    const path = '/history/v1/images/00000000-0000-4000-8000-000000000000/downloads';
    assert.deepEqual(await told(gateway, path), ofNothing);
  });

  test('is told roles and addresses of the project’s own people only', async (t) => {
    const gateway = await startGateway(t);
    const id = await imageIn(gateway, 'private');
    const path = `/history/v1/images/${id}/downloads`;
    const actors = async (token: string) =>
      ((await gateway.ask(path, { token })).json().downloads as { actor: object }[]).map(
        ({ actor }) => ['roles' in actor, 'person' in actor],
      );
    const yes = [true, true];
    const no = [false, false];
    assert.deepEqual(await actors('olga:owners:member'), [no, yes]);
    assert.deepEqual(await actors('otto:office:auditor'), [yes, yes, yes]);
  });

  test('pages by position, and each download comes once', async (t) => {
    const gateway = await startGateway(t);
    const ids = [await imageIn(gateway, 'private'), await imageIn(gateway, 'deleted')];
    const seen: unknown[] = [];
    for (let path: unknown = '/history/v1/downloads?limit=1'; typeof path === 'string'; ) {
      const page = (await gateway.ask(path, { token: admin })).json();
      seen.push(...(page.downloads as { image_id: string }[]).map(({ image_id }) => image_id));
      path = page.next;
    }
    const [one, other] = ids;
    assert.deepEqual(seen, [one, one, one, other, other, other]);
    const never = '/history/v1/downloads?from=2100-01-01T00:00:00Z';
    assert.deepEqual((await gateway.ask(never, { token: admin })).json().downloads, []);
    const unknown = await gateway.ask('/history/v1/downloads?limit=x', { token: admin });
    assert.equal(unknown.status, 400);
  });
});
