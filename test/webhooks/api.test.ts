import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { actingPart, ourWebhooks } from '../../apps/webhooks/handle.ts';
import type { JsonObject } from '../../domain/json.ts';
import { ours } from '../../domain/webhook/commands.ts';
import { addressGuard } from '../../infra/net/address-guard.ts';
import { webhookPoster } from '../../infra/webhooks/post.ts';
import { admin, alice, bob, reader, startGateway, type TestGateway } from '../support/gateway.ts';
import { answers, isSigned, receiver } from './receiver.ts';
import { guardFor } from './site.ts';

const all = '/webhooks/v1/endpoints';
const outside = 'https://hooks.example.org/x';

/** A gateway that may post to receivers of tests, and to public addresses by name. */
const start = (t: TestContext, ...ports: readonly number[]): Promise<TestGateway> =>
  startGateway(t, {
    change: (given) => ({
      ...given,
      webhooks: {
        ...given.webhooks,
        quota: 3,
        poster: webhookPoster({
          guard: {
            ...guardFor(...ports, 443),
            admit: async (text) => ({
              url: guardFor(...ports, 443).examine(text),
              addresses: ['127.0.0.1'],
            }),
          },
          allowHttp: true,
          timeoutMs: 5_000,
        }),
      },
    }),
  });

const add = async (
  gateway: TestGateway,
  document: object = { url: outside },
  token = alice,
): Promise<JsonObject & { id: string; secret: string }> => {
  const answer = await gateway.send('POST', all, document, token);
  assert.equal(answer.status, 201, answer.text);
  return answer.json() as JsonObject & { id: string; secret: string };
};

const listed = async (
  gateway: TestGateway,
  token: string,
  query = '',
): Promise<readonly unknown[]> => {
  const answer = await gateway.ask(`${all}${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return (answer.json().endpoints as readonly { id: unknown }[]).map(({ id }) => id);
};

describe('webhooks over the API', () => {
  test('are registered, shown, changed, disabled, enabled and removed', async (t) => {
    const gateway = await start(t);
    const answer = await gateway.send('POST', all, {
      url: outside,
      description: 'the catalogue',
      types: ['TagAdded', 'daguerre.v1.image.ImageCreated'],
    });
    assert.equal(answer.status, 201, answer.text);
    const { secret, ...made } = answer.json();
    assert.match(String(secret), /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.equal(answer.headers.location, `${gateway.url}${all}/${made.id}`);
    assert.deepEqual(
      [made.status, made.project, made.all_projects, made.url, made.description, made.types],
      ['enabled', 'red', false, outside, 'the catalogue', ['TagAdded', 'ImageCreated']],
    );
    const one = `${all}/${made.id}`;
    assert.deepEqual((await gateway.ask(one)).json(), made);
    const patched = await gateway.send('PATCH', one, { types: null, url: `${outside}/y` });
    assert.equal(patched.status, 200, patched.text);
    assert.deepEqual([patched.json().types, patched.json().url], [null, `${outside}/y`]);
    const off = await gateway.ask(`${one}/disable`, { method: 'POST' });
    assert.deepEqual([off.json().status, off.json().disabled_reason], ['disabled', 'asked']);
    const on = await gateway.ask(`${one}/enable`, { method: 'POST' });
    assert.deepEqual([on.json().status, on.json().disabled_reason], ['enabled', null]);
    assert.equal((await gateway.ask(one, { method: 'DELETE' })).status, 204);
    assert.equal((await gateway.ask(one)).status, 404);
    assert.deepEqual(await listed(gateway, alice), []);
  });

  for (const [document, word] of [
    [{}, 'url'],
    [{ url: 'ftp://hooks.example.org/' }, 'http'],
    [{ url: 'https://user:secret@hooks.example.org/' }, 'user'],
    [{ url: 'https://hooks.example.org:22/' }, 'port'],
    [{ url: outside, types: [] }, 'types'],
    [{ url: outside, types: ['ImageEaten'] }, 'ImageEaten'],
    [{ url: outside, images: ['42'] }, 'images'],
    [{ url: outside, secret: 'mine' }, 'secret'],
    [{ url: outside, signature: 'v2' }, 'signature'],
    [{ url: outside, after: '-1' }, 'after'],
    [{ url: outside, after: '1000' }, 'after'],
    [{ url: outside, all_projects: 1 }, 'all_projects'],
  ] as const)
    test(`${JSON.stringify(document)} is refused by name`, async (t) => {
      const gateway = await start(t);
      const { status, text } = await gateway.send('POST', all, document, admin);
      assert.equal(status, 400, text);
      assert.match(text, new RegExp(word));
    });

  test('may not lead to where strangers must not', async (t) => {
    const guard = addressGuard(
      {
        allowedHosts: [],
        disallowedHosts: [],
        allowedPorts: [80, 443],
        disallowedPorts: [],
        allowedCidrs: [],
        disallowedCidrs: [],
      },
      async (host) => [host === 'inner.example.org' ? '10.0.0.7' : '93.184.216.34'],
    );
    const gateway = await startGateway(t, {
      change: (given) => ({
        ...given,
        webhooks: {
          ...given.webhooks,
          poster: webhookPoster({ guard, allowHttp: false, timeoutMs: 1_000 }),
        },
      }),
    });
    const { id } = await add(gateway);
    for (const url of [
      'http://hooks.example.org/',
      'https://127.0.0.1/',
      'https://[::1]/',
      'https://169.254.169.254/latest/meta-data',
      'https://inner.example.org/',
      'https://0x7f000001/',
    ]) {
      assert.equal((await gateway.send('POST', all, { url })).status, 400, url);
      assert.equal((await gateway.send('PATCH', `${all}/${id}`, { url })).status, 400, url);
    }
  });

  test('are no more than a project may have', async (t) => {
    const gateway = await start(t);
    for (let count = 0; count < 3; count += 1) await add(gateway);
    assert.equal((await gateway.send('POST', all, { url: outside })).status, 413);
    await add(gateway, { url: outside }, bob);
  });

  test('are listed in pages', async (t) => {
    const gateway = await start(t);
    const ids = [await add(gateway), await add(gateway), await add(gateway)].map(({ id }) => id);
    ids.sort();
    assert.deepEqual(await listed(gateway, alice, '?limit=2'), ids.slice(0, 2));
    assert.deepEqual(await listed(gateway, alice, `?limit=2&marker=${ids[1]}`), ids.slice(2));
    assert.equal((await gateway.ask(`${all}?limit=0`)).status, 400);
    assert.equal((await gateway.ask(`${all}?sort=id`)).status, 400);
  });
});

describe('who may do what with webhooks', () => {
  test('is settled by the project: its members all, its readers look, others nothing', async (t) => {
    const gateway = await start(t);
    const { id } = await add(gateway);
    const one = `${all}/${id}`;
    const calls: readonly (readonly [string, string, string])[] = [
      ['GET', one, 'YYY-'],
      ['GET', `${one}/deliveries`, 'YYY-'],
      ['PATCH', one, 'YYF-'],
      ['POST', `${one}/disable`, 'YYF-'],
      ['POST', `${one}/enable`, 'YYF-'],
      ['POST', `${one}/rotate-secret`, 'YYF-'],
      ['POST', `${one}/test`, 'YYF-'],
      ['POST', `${one}/deliveries/999/redeliver`, 'nnF-'],
      ['DELETE', one, '  F-'],
    ];
    for (const [method, path, row] of calls) {
      const got = await Promise.all(
        [admin, alice, reader, bob].map(async (token, column) => {
          if (row[column] === ' ') return ' ';
          const body = method === 'PATCH' ? { body: JSON.stringify({ description: 'x' }) } : {};
          const { status, text } = await gateway.ask(path, { method, token, ...body });
          if (status === 404) return text.includes('no such event') ? 'n' : '-';
          return status === 403 ? 'F' : status < 300 ? 'Y' : String(status);
        }),
      );
      assert.equal(got.join(''), row, `${method} ${path}`);
    }
    assert.deepEqual(await listed(gateway, reader), [id]);
    assert.deepEqual(await listed(gateway, bob), []);
    assert.deepEqual(await listed(gateway, admin), [id]);
    assert.deepEqual(await listed(gateway, admin, '?project=blue'), []);
    assert.equal((await gateway.send('POST', all, { url: outside }, reader)).status, 403);
    const foreign = await gateway.send('POST', all, { url: outside, project: 'blue' });
    assert.equal(foreign.status, 403);
    const without = await gateway.send('POST', all, { url: outside }, 'alice::member');
    assert.equal(without.status, 403);
  });

  test('keeps those that are told of all projects to administrators', async (t) => {
    const gateway = await start(t);
    const asked = { url: outside, all_projects: true };
    assert.equal((await gateway.send('POST', all, asked)).status, 403);
    assert.equal((await gateway.send('POST', all, asked, 'a::member')).status, 403);
    const { id } = await add(gateway, asked, admin);
    for (const token of ['root:operations:member', alice])
      assert.equal((await gateway.ask(`${all}/${id}`, { token })).status, 404);
    assert.deepEqual(await listed(gateway, 'root:operations:member'), []);
  });

  test('has refusals recorded', async (t) => {
    const gateway = await start(t);
    const { id } = await add(gateway);
    await gateway.ask(`${all}/${id}`, { method: 'DELETE', token: reader });
    await gateway.ask(`${all}/${id}`, { token: bob });
    const events = await gateway.ports.log.readAll(0n, 100);
    const refused = events
      .filter(({ type }) => type === 'RequestRefused')
      .map(({ data }) => [data.rule, data.target, data.code]);
    assert.deepEqual(refused, [
      ['delete_webhook', id, 'not-allowed'],
      ['get_webhook', id, 'webhook-unknown'],
    ]);
  });
});

describe('secrets of webhooks', () => {
  test('are told once, and never in the log, in lists, or after', async (t) => {
    const hook = await receiver();
    const gateway = await start(t, hook.port);
    const first = await add(gateway, { url: hook.url });
    const rotated = await gateway.ask(`${all}/${first.id}/rotate-secret`, { method: 'POST' });
    const second = String(rotated.json().secret);
    assert.notEqual(second, first.secret);
    const shown = [
      await gateway.ask(all),
      await gateway.ask(`${all}/${first.id}`),
      await gateway.ask(`${all}/${first.id}/test`, { method: 'POST' }),
      await gateway.ask(`${all}/${first.id}/deliveries`),
    ].map(({ text }) => text);
    const log = JSON.stringify(await gateway.ports.log.readAll(0n, 100), (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    assert.match(log, /WebhookSecretRotated/);
    for (const secret of [first.secret, second]) {
      const bytes = Buffer.from(secret.slice('whsec_'.length), 'base64');
      for (const text of [log, ...shown])
        for (const form of ['base64', 'base64url', 'hex'] as const)
          assert.ok(!text.includes(bytes.toString(form)));
    }
    assert.ok(isSigned(hook.requests[0] ?? assert.fail('no test came'), first.secret));
    assert.ok(isSigned(hook.requests[0] ?? assert.fail('no test came'), second));
  });

  test('of which the old one is not to stand longer sign no more', async (t) => {
    const hook = await receiver();
    const gateway = await start(t, hook.port);
    const { id, secret } = await add(gateway, { url: hook.url });
    const asked = { overlap_seconds: 0, signature: 'v1a' };
    const rotated = await gateway.send('POST', `${all}/${id}/rotate-secret`, asked);
    assert.match(String(rotated.json().secret), /^whpk_/);
    const standing = rotated.json().secrets as readonly { public_key: string | null }[];
    assert.deepEqual(
      standing.map(({ public_key }) => public_key),
      [rotated.json().secret, null],
    );
    await gateway.ask(`${all}/${id}/test`, { method: 'POST' });
    const [sent] = hook.requests;
    assert.ok(sent !== undefined && isSigned(sent, String(rotated.json().secret)));
    assert.ok(!isSigned(sent, secret));
  });

  test('are erased with their webhook', async (t) => {
    const gateway = await start(t);
    const made = await add(gateway);
    const ids = (made.secrets as unknown as readonly { id: string }[]).map(({ id }) => id);
    assert.equal((await gateway.ports.webhooks.vault.find(ids)).size, 1);
    await gateway.ask(`${all}/${made.id}`, { method: 'DELETE' });
    assert.equal((await gateway.ports.webhooks.vault.find(ids)).size, 0);
  });
});

describe('deliveries over the API', () => {
  test('are tried by hand, and listed with what became of them', async (t) => {
    const hook = await receiver();
    const gateway = await start(t, hook.port);
    const made = await add(gateway, { url: hook.url });
    const one = `${all}/${made.id}`;
    await gateway.create({ visibility: 'private' });
    await gateway.create({ visibility: 'private' }, bob);
    const events = (await gateway.ask('/events/v1')).json().events as readonly {
      id: string;
      position: string;
    }[];
    const [event] = events;
    assert.ok(event);
    const again = (fact: string, token = alice) =>
      gateway.ask(`${one}/deliveries/${fact}/redeliver`, { method: 'POST', token });
    assert.equal((await again(event.id)).status, 404);
    hook.answerWith(answers(500));
    const failed = await again(event.position);
    assert.equal(failed.status, 200, failed.text);
    assert.deepEqual([failed.json().delivered, failed.json().status], [false, 500]);
    hook.answerWith(answers(204));
    assert.equal((await again(event.id)).json().delivered, true);
    assert.deepEqual(
      hook.accepted.map(({ document }) => document),
      [event],
    );
    assert.ok(isSigned(hook.accepted[0] ?? assert.fail(), made.secret));
    const everything = (await gateway.ask('/events/v1', { token: admin })).json()
      .events as readonly {
      position: string;
      projectid: string;
    }[];
    const foreign = everything.find(({ projectid }) => projectid === 'blue');
    assert.equal((await again(String(foreign?.position))).status, 404);
    assert.equal((await again(String(foreign?.position), admin)).status, 404);
    const list = async (query: string) =>
      (await gateway.ask(`${one}/deliveries${query}`)).json() as unknown as {
        deliveries: readonly {
          number: string;
          delivered: boolean;
          manual: boolean;
          event: string;
        }[];
        next: string | null;
      };
    const { deliveries, next } = await list('');
    assert.deepEqual(
      deliveries.map(({ delivered, manual, event: id }) => [delivered, manual, id]),
      [
        [true, true, event.id],
        [false, true, event.id],
      ],
    );
    assert.equal(next, null);
    assert.equal((await list('?delivered=false')).deliveries.length, 1);
    assert.equal((await list(`?event=${made.id}`)).deliveries.length, 0);
    const page = await list('?limit=1');
    const rest = await list(`?limit=1&marker=${page.next}`);
    assert.deepEqual([...page.deliveries, ...rest.deliveries], deliveries);
    assert.equal((await gateway.ask(`${one}/deliveries?delivered=maybe`)).status, 400);
  });

  test('show why a webhook was disabled', async (t) => {
    const gateway = await start(t);
    const { id } = await add(gateway);
    await ourWebhooks(gateway.ports.log).handle(
      id,
      { type: 'DisableWebhook', by: ours, reason: 'gone', message: 'It answered 410 Gone.' },
      actingPart('webhooks'),
      new AbortController().signal,
    );
    const shown = (await gateway.ask(`${all}/${id}`)).json();
    assert.deepEqual(
      [shown.status, shown.disabled_reason, shown.disabled_message],
      ['disabled', 'gone', 'It answered 410 Gone.'],
    );
  });
});
