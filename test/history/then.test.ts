import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { random } from '../projections/history.ts';
import { admin, alice, bob, rawFormat, reader } from '../support/gateway.ts';
import type { Answer } from '../support/http.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { type HistorySite, startHistorySite } from './site.ts';

const seed = seedOfThisRun();
const changes = 150;
const tokens = [admin, alice, bob, reader, 'gina:green:member'] as const;

/** What the API answered once everything up to a position had happened, and nothing more. */
interface Captured {
  readonly position: bigint;
  readonly path: string;
  readonly token: string;
  readonly status: number;
  readonly text: string;
}

async function captured(site: HistorySite, path: string, token: string): Promise<Captured> {
  const { log, visible } = site.ports;
  for (;;) {
    const position = await log.head();
    await visible.waitFor(position, 60_000);
    const { status, text } = await site.ask(`/v2${path}`, { token });
    if ((await log.head()) === position) return { position, path, token, status, text };
  }
}

const asOf = ({ path }: Captured, then: string): string =>
  `/history/v1${path}${path.includes('?') ? '&' : '?'}${then}`;

/** Links tell where they lead, so of a listing the images alone are compared. */
const shown = (path: string, text: string): string =>
  path.startsWith('/images?') && text.startsWith('{')
    ? JSON.stringify(JSON.parse(text).images)
    : text;

/** One change by chance, whether or not it is refused. */
function changing(site: HistorySite, next: () => number) {
  const below = (count: number): number => Math.floor(next() * count);
  const one = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;
  const ids: string[] = [];
  const create = async (): Promise<void> => {
    const document = {
      ...rawFormat,
      name: one(['a', 'b', 'ä', null]),
      visibility: one(['private', 'shared', 'community']),
      tags: one([[], ['x'], ['y', 'x']]),
      zone: one(['1', '2']),
    };
    ids.push(await site.create(document, one([alice, bob])));
  };
  return {
    ids,
    async step(): Promise<void> {
      if (ids.length < 3 || next() < 0.1) return create();
      const id = one(ids);
      const image = `/v2/images/${id}`;
      const token = one([admin, admin, alice, bob]);
      const patched = (path: string, value: unknown): Promise<Answer> =>
        site.patch(image, [{ op: 'add', path, value }], token);
      const post = (path: string): Promise<Answer> =>
        site.ask(`${image}/actions/${path}`, { method: 'POST', token });
      const steps: readonly (() => Promise<unknown>)[] = [
        () => patched('/name', one(['a', 'b', 'c'])),
        () => patched('/visibility', one(['public', 'community', 'shared', 'private'])),
        () => patched('/owner', one(['red', 'blue', 'green'])),
        () => patched('/zone', one(['1', '2', 'three'])),
        () => patched('/os_hidden', one([true, false])),
        () => patched('/tags', one([['x', 'z'], []])),
        () =>
          site.ask(`${image}/tags/${one(['x', 'y'])}`, { method: one(['PUT', 'DELETE']), token }),
        () => site.send('POST', `${image}/members`, { member: one(['green', 'blue']) }, token),
        () =>
          site.send(
            'PUT',
            `${image}/members/green`,
            { status: one(['accepted', 'rejected']) },
            admin,
          ),
        () =>
          site.ask(`${image}/file`, {
            method: 'PUT',
            token,
            headers: { 'Content-Type': 'application/octet-stream' },
            body: Buffer.from(`bytes ${below(9)}`),
          }),
        () => post('deactivate'),
        () => post('reactivate'),
        () => (next() < 0.3 ? site.ask(image, { method: 'DELETE', token }) : Promise.resolve()),
      ];
      await one(steps)();
    },
  };
}

describe(`the API as of then (seed ${seed})`, () => {
  test('answers, byte for byte, what it answered then', async (t) => {
    const site = await startHistorySite(t);
    const next = random(seed);
    const one = <Value>(values: readonly Value[]): Value =>
      values[Math.floor(next() * values.length)] as Value;
    const { ids, step } = changing(site, next);
    const all: Captured[] = [];
    for (let done = 0; done < changes; done += 1) {
      await step();
      const id = ids[Math.floor(next() * ids.length)] ?? '';
      const listing = one([
        '/images?limit=1000',
        '/images?limit=2&sort=name:asc',
        '/images?visibility=all&name=a',
        '/images?tag=x&zone=1',
        '/images?member_status=all&visibility=shared',
        `/images?os_hidden=true&limit=5&sort_key=updated_at`,
        `/images?status=active&sort_key=size&sort_dir=asc&marker=${id}`,
      ]);
      all.push(await captured(site, `/images/${id}`, one(tokens)));
      all.push(await captured(site, listing, one(tokens)));
    }
    const seen = new Map<number, number>();
    for (const one of all) {
      const then = await site.ask(asOf(one, `as_of_position=${one.position}`), {
        token: one.token,
      });
      const what = `${one.token} ${one.path} as of ${one.position}`;
      assert.equal(then.status, one.status, `${what}: ${then.text}`);
      if (one.status === 200)
        assert.equal(shown(one.path, then.text), shown(one.path, one.text), what);
      seen.set(one.status, (seen.get(one.status) ?? 0) + 1);
    }
    t.diagnostic(`${await site.ports.log.head()} events, ${JSON.stringify([...seen])}`);
    assert.ok((seen.get(200) ?? 0) > changes / 2 && (seen.get(404) ?? 0) > 5);
  });

  test('takes a time for the last position recorded then or earlier', async (t) => {
    const site = await startHistorySite(t);
    const { step } = changing(site, random(seed));
    for (let done = 0; done < 20; done += 1) await step();
    const events = (await site.ports.log.readAll(0n, 1_000)).filter(
      ({ streamId }) => !streamId.startsWith('refusals'),
    );
    let told = 0;
    for (const [index, event] of events.entries()) {
      const following = events[index + 1];
      if (following && following.recordedAt <= event.recordedAt) continue;
      const time = event.recordedAt.toISOString();
      const { status, headers, text } = await site.ask(`/history/v1/images?as_of=${time}`, {
        token: admin,
      });
      assert.equal(status, 200, text);
      const position = BigInt(String(headers['daguerre-as-of-position']));
      assert.ok(position >= event.position && (!following || position < following.position));
      const same = await site.ask(`/history/v1/images?as_of_position=${position}`, {
        token: admin,
      });
      assert.equal(same.text, text, 'the links stay at the position');
      told += 1;
    }
    assert.ok(told > 5);
  });

  test('pages through a listing of then whatever happens meanwhile', async (t) => {
    const site = await startHistorySite(t);
    for (const name of ['a', 'b', 'c', 'd', 'e']) await site.create({ name });
    const then = await site.ports.log.head();
    const names: string[] = [];
    let path = `/history/v1/images?sort=name:asc&limit=2&as_of_position=${then}`;
    for (;;) {
      const page = (await site.ask(path)).json();
      const images = page.images as readonly { readonly id: string; readonly name: string }[];
      names.push(...images.map(({ name }) => name));
      for (const { id } of images) await site.ask(`/v2/images/${id}`, { method: 'DELETE' });
      if (page.next === undefined) break;
      path = String(page.next);
    }
    assert.deepEqual(names, ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual((await site.ask('/v2/images')).json().images, []);
  });

  for (const [query, status] of [
    ['', 400],
    ['?as_of=yesterday', 400],
    ['?as_of=2026-02-30', 400],
    ['?as_of=2999-01-01T00:00:00Z', 400],
    ['?as_of_position=-1', 400],
    ['?as_of_position=999999', 400],
    ['?as_of=2020-01-01&as_of_position=1', 400],
    ['?as_of_position=0&sort=colour', 400],
    ['?as_of=2020-01-01', 200],
    ['?as_of_position=0', 200],
  ] as const)
    test(`of a listing "${query}" is answered ${status}`, async (t) => {
      const site = await startHistorySite(t);
      await site.create();
      const answer = await site.ask(`/history/v1/images${query}`);
      assert.equal(answer.status, status, answer.text);
      if (status === 200) assert.deepEqual(answer.json().images, []);
    });
});
