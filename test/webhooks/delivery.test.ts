import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readerOf } from '../../apps/webhooks/reader.ts';
import { ours } from '../../domain/webhook/commands.ts';
import { isPresent, type PresentWebhook } from '../../domain/webhook/state.ts';
import { documentFor } from '../../infra/outside/document-for.ts';
import { memoryProgress } from '../../infra/webhooks/memory.ts';
import { newSecret } from '../../infra/webhooks/signature.ts';
import { life } from '../outside/life.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { until } from '../support/until.ts';
import {
  type Answering,
  answers,
  isSigned,
  type Received,
  type Receiver,
  receiver,
} from './receiver.ts';
import { quickPace, type Site, site, unguarded } from './site.ts';

const seed = seedOfThisRun();

const positionOf = ({ document }: Received): bigint => BigInt(String(document.position));
const idsOf = (received: readonly Received[]): ReadonlySet<unknown> =>
  new Set(received.map(({ headers }) => headers['webhook-id']));

/** What the project may read, as pages have it. */
async function readable({ log, events }: Site, project: string | null, after = 0n) {
  const viewer = readerOf(project, unguarded);
  const upTo = await log.head();
  const page = await events.page({ viewer, filter: {}, after, upTo, limit: 1_000_000 });
  return page.events.map((told) => documentFor(told, viewer, 'RegionOne'));
}

const stateOf = async ({ webhooks }: Site, id: string): Promise<PresentWebhook> => {
  const state = await webhooks.read(id);
  assert.ok(isPresent(state));
  return state;
};

/** Waits until everything that it is to be told was accepted, each at least once and the first time in order per image. */
async function assertWhole(at: Site, { accepted }: Receiver, project: string | null = 'red') {
  const wanted = await readable(at, project);
  const missing = (): readonly string[] => {
    const ids = idsOf(accepted);
    return wanted.filter(({ id }) => !ids.has(id)).map(({ position }) => position);
  };
  await until(`all of ${wanted.length} (seed ${seed})`, () => missing().length === 0);
  assert.ok(wanted.length > 0);
  assert.equal(idsOf(accepted).size, wanted.length);
  const last = new Map<unknown, bigint>();
  const seen = new Set<unknown>();
  for (const received of accepted) {
    const { id, subject } = received.document;
    if (seen.has(id)) continue;
    seen.add(id);
    assert.ok((last.get(subject) ?? 0n) < positionOf(received), `${subject} is out of order`);
    last.set(subject, positionOf(received));
  }
  const byId = new Map(accepted.map(({ document }) => [document.id, document]));
  for (const document of wanted) assert.deepEqual(byId.get(document.id), document);
}

describe('a webhook', () => {
  for (const scheme of ['v1', 'v1a'] as const)
    test(`is told what its project may read, signed by ${scheme}, and nothing else`, async () => {
      const hook = await receiver();
      const at = site({ ports: [hook.port] });
      const { shown } = await at.register(hook.url, { scheme });
      at.deliverer();
      await life(seed, 6).goOn(at.log, 150);
      await assertWhole(at, hook);
      for (const received of hook.accepted) {
        assert.equal(received.headers['webhook-id'], received.document.id);
        assert.match(String(received.headers['content-type']), /^application\/cloudevents\+json/);
        assert.ok(isSigned(received, shown));
        assert.ok(!isSigned({ ...received, body: `${received.body} ` }, shown));
      }
    });

  test('of administrators is told everything', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url, { project: null });
    at.deliverer();
    await life(seed, 6).goOn(at.log, 100);
    await assertWhole(at, hook, null);
  });

  test('is told of no custom property that plain members of its project may not see', async () => {
    const [plain, whole] = [await receiver(), await receiver()];
    const at = site({
      ports: [plain.port, whole.port],
      imageAccess: {
        ruleAgainst: (_, property, { roles }) =>
          property === 'p' && !roles.includes('admin') ? 'p:read' : undefined,
      },
    });
    await at.register(plain.url);
    await at.register(whole.url, { project: null });
    at.deliverer();
    await life(seed, 6).goOn(at.log, 300);
    await plain.until((await readable(at, 'red')).length);
    await whole.until((await readable(at, null)).length);
    const bodies = ({ accepted }: Receiver): string => accepted.map(({ body }) => body).join();
    assert.doesNotMatch(bodies(plain), /"property":"p"/);
    assert.match(bodies(whole), /"property":"p"/);
    assert.match(bodies(plain), /"properties":\[\]/);
  });

  test('is told only the types and images that it asked for', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const types = ['TagAdded', 'VisibilityChanged'];
    // The same life in another log, to know who of those that there are will be told of later.
    const twin = site({ ports: [] });
    const foreseen = life(seed, 10);
    await foreseen.goOn(twin.log, 60);
    const known = new Set(foreseen.images());
    const middle = await twin.log.head();
    await foreseen.goOn(twin.log, 300);
    const later = await twin.log.readAll(middle, 1_000);
    const images = [
      ...new Set(
        later
          .filter(({ type }) => types.includes(type))
          .map(({ streamId }) => streamId.replace('image-', ''))
          .filter((image) => known.has(image)),
      ),
    ].slice(0, 4);
    const lives = life(seed, 10);
    await lives.goOn(at.log, 60);
    await at.register(hook.url, { project: null, filter: { types, images } });
    const before = await at.log.head();
    await lives.goOn(at.log, 300);
    at.deliverer();
    const wanted = (await readable(at, null, before)).filter(
      ({ type, subject }) =>
        types.includes(type.split('.').at(-1) ?? '') &&
        images.some((image) => subject === `image/${image}`),
    );
    assert.ok(wanted.length > 0);
    await hook.until(wanted.length);
    assert.deepEqual(
      hook.accepted.map(({ document }) => document.id).sort(),
      wanted.map(({ id }) => id).sort(),
    );
  });

  test('that fails now and then is told all of it in the end', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url);
    let count = 0;
    const replies: readonly Answering[] = [
      answers(500),
      answers(404),
      answers(204),
      answers(200),
      (_, response) => response.destroy(),
      answers(201),
    ];
    hook.answerWith((received, response) => {
      count += 1;
      replies[count % replies.length]?.(received, response);
    });
    at.deliverer();
    await life(seed, 6).goOn(at.log, 200);
    await assertWhole(at, hook);
  });

  test('that takes no answer from one image is told of the others', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url, { project: null });
    const lives = life(seed, 6);
    await lives.goOn(at.log, 100);
    const first = (await readable(at, null))[0];
    let isStubborn = true;
    hook.answerWith((received, response) =>
      answers(isStubborn && received.document.subject === first?.subject ? 500 : 204)(
        received,
        response,
      ),
    );
    at.deliverer();
    const others = (await readable(at, null)).filter(({ subject }) => subject !== first?.subject);
    await hook.until(others.length);
    assert.deepEqual([...idsOf(hook.accepted)].sort(), others.map(({ id }) => id).sort());
    isStubborn = false;
    await assertWhole(at, hook, null);
  });

  test('that hangs is given up after a while and asked again', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url);
    let hung = 0;
    hook.answerWith((received, response) => {
      if (hung < 2) hung += 1;
      else answers(204)(received, response);
    });
    at.deliverer({ timeoutMs: 100 });
    await life(seed, 3).goOn(at.log, 20);
    await assertWhole(at, hook);
    assert.equal(hook.requests.length, hook.accepted.length + 2);
  });

  test('that redirects has failed, and nobody goes where it leads', async () => {
    const [hook, inner] = [await receiver(), await receiver()];
    const at = site({ ports: [hook.port, inner.port] });
    await at.register(hook.url);
    let isLeading = true;
    hook.answerWith((received, response) =>
      isLeading
        ? answers(307, { location: inner.url })(received, response)
        : answers(204)(received, response),
    );
    at.deliverer();
    await life(seed, 3).goOn(at.log, 20);
    await until('some attempts', () => hook.requests.length > 3);
    isLeading = false;
    await assertWhole(at, hook);
    assert.equal(inner.requests.length, 0);
  });

  test('that answers without end is not read to the end', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url);
    const closed: boolean[] = [];
    hook.answerWith((_, response) => {
      response.writeHead(200);
      response.on('close', () => closed.push(true));
      response.on('error', () => {});
      const pour = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', pour);
      };
      pour();
    });
    at.deliverer();
    await life(seed, 3).goOn(at.log, 20);
    const wanted = await readable(at, 'red');
    await until('all to be delivered and let go', () => closed.length >= wanted.length);
    assert.equal(idsOf(hook.requests).size, wanted.length);
    assert.equal(hook.requests.length, wanted.length);
  });

  test('that is gone is disabled, and goes on where it was when it is enabled again', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const { id } = await at.register(hook.url);
    let left = 5;
    hook.answerWith((received, response) => {
      left -= 1;
      answers(left < 0 ? 410 : 204)(received, response);
    });
    at.deliverer();
    const lives = life(seed, 6);
    await lives.goOn(at.log, 100);
    await until('its end', async () => (await stateOf(at, id)).status === 'disabled');
    assert.equal((await stateOf(at, id)).disabled?.reason, 'gone');
    hook.answerWith(answers(204));
    await lives.goOn(at.log, 50);
    assert.equal(hook.accepted.length, 5);
    await at.perform(id, { type: 'EnableWebhook', by: ours });
    await assertWhole(at, hook);
  });

  test('that fails for days is disabled with the reason', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const { id } = await at.register(hook.url);
    hook.answerWith(answers(503));
    at.deliverer({ pace: { ...quickPace, retrySeconds: [0.02], disableAfterMs: 200 } });
    await life(seed, 3).goOn(at.log, 30);
    await until('its end', async () => (await stateOf(at, id)).status === 'disabled');
    const { disabled } = await stateOf(at, id);
    assert.equal(disabled?.reason, 'failing');
    assert.match(disabled?.message ?? '', /could not be delivered since .*status 503/);
    hook.answerWith(answers(204));
    await at.perform(id, { type: 'EnableWebhook', by: ours });
    await assertWhole(at, hook);
  });

  test('that is away is told everything when it comes back', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url);
    at.deliverer();
    const lives = life(seed, 6);
    await lives.goOn(at.log, 60);
    await assertWhole(at, hook);
    await hook.stop();
    await lives.goOn(at.log, 120);
    await hook.start();
    await assertWhole(at, hook);
  });

  test('that asks for patience is left alone for so long', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url, { project: null });
    const times: number[] = [];
    hook.answerWith((received, response) => {
      times.push(Date.now());
      (times.length === 1 ? answers(429, { 'retry-after': '1' }) : answers(204))(
        received,
        response,
      );
    });
    at.deliverer({ pace: { ...quickPace, concurrency: 1, retrySeconds: [0.01] } });
    await life(seed, 1).goOn(at.log, 1);
    await assertWhole(at, hook, null);
    assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 1_000);
  });

  test('signs with the old secret and the new one while both stand', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const { id, shown: old } = await at.register(hook.url, { project: null });
    at.deliverer();
    const lives = life(seed, 3);
    const { reference, secret, shown } = newSecret('v1a');
    await at.vault.keep(reference.secretId, secret);
    const rotate = (overlapUntil: Date) =>
      at.perform(id, {
        type: 'RotateSecret',
        by: ours,
        secret: reference,
        overlapUntil: overlapUntil.toISOString(),
      });
    await rotate(new Date(Date.now() + 60_000));
    await lives.goOn(at.log, 10);
    await assertWhole(at, hook, null);
    const twice = await until('one with both', async () => {
      await lives.goOn(at.log, 1);
      return hook.accepted.find((received) => isSigned(received, shown));
    });
    assert.ok(isSigned(twice, old));
  });

  test('whose secret is lost is told nothing unsigned', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const { id } = await at.register(hook.url, { project: null });
    await at.vault.erase((await stateOf(at, id)).secrets.map(({ secretId }) => secretId));
    at.deliverer();
    await life(seed, 3).goOn(at.log, 5);
    const attempt = await until('an attempt', async () =>
      (await at.progress.attempts(id, { limit: 1 })).at(0),
    );
    assert.match(attempt.error ?? '', /secret is lost/);
    assert.equal(hook.requests.length, 0);
  });

  test('that is moved back is told again from there', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    const { id } = await at.register(hook.url);
    at.deliverer();
    await life(seed, 6).goOn(at.log, 60);
    await assertWhole(at, hook);
    const count = hook.accepted.length;
    await at.perform(id, { type: 'ChangeWebhook', by: ours, after: 0n });
    await until('all of it again', () => hook.accepted.length >= 2 * count);
    assert.equal(idsOf(hook.accepted).size, count);
  });
});

describe('delivering', () => {
  test('that dies again and again before it has kept how far it was repeats, and leaves nothing out', async () => {
    const hook = await receiver();
    const whole = memoryProgress();
    let left = 0;
    /** Keeps only some of what it is given, as if the process had died before. */
    const mortal = {
      ...whole,
      save: async (...given: Parameters<typeof whole.save>) => {
        left -= 1;
        if (left < 0) throw new Error('it is dead');
        return whole.save(...given);
      },
    };
    const at = site({ ports: [hook.port], progress: mortal });
    await at.register(hook.url);
    const lives = life(seed, 6);
    for (let lifeOfOne = 0; lifeOfOne < 6; lifeOfOne += 1) {
      left = lifeOfOne % 3;
      await lives.goOn(at.log, 30);
      const before = hook.accepted.length;
      const deliverer = at.deliverer();
      await until('some deliveries', () => hook.accepted.length > before + 2);
      await deliverer.stop();
    }
    left = Number.POSITIVE_INFINITY;
    at.deliverer();
    await assertWhole(at, hook);
    assert.ok(hook.accepted.length > idsOf(hook.accepted).size, 'nothing was repeated');
  });

  test('goes on from the log where what was kept is lost, and repeats no more than it may', async () => {
    const hook = await receiver();
    const every = 20;
    const pace = { ...quickPace, acknowledgeEvery: every, window: 10 };
    const at = site({ ports: [hook.port] });
    const { id } = await at.register(hook.url, { project: null });
    const first = at.deliverer({ pace });
    const lives = life(seed, 6);
    await lives.goOn(at.log, 300);
    await assertWhole(at, hook, null);
    await first.stop();
    await at.progress.prune([]);
    const count = hook.accepted.length;
    const acknowledged = BigInt((await stateOf(at, id)).delivered);
    const unacknowledged = (await readable(at, null, acknowledged)).length;
    assert.ok(acknowledged > 0n && unacknowledged <= every + pace.window + pace.concurrency);
    at.deliverer({ pace });
    await lives.goOn(at.log, 20);
    await assertWhole(at, hook, null);
    assert.ok(
      hook.accepted.length - count <= unacknowledged + 60,
      `${hook.accepted.length - count}`,
    );
  });

  test('by two at once, who both believe that it is theirs, leaves nothing out', async () => {
    const hook = await receiver();
    const at = site({ ports: [hook.port] });
    await at.register(hook.url);
    hook.answerWith((received, response) =>
      answers(received.body.length % 7 === 0 && hook.requests.length % 2 === 0 ? 500 : 204)(
        received,
        response,
      ),
    );
    at.deliverer();
    at.deliverer();
    const lives = life(seed, 6);
    for (let round = 0; round < 10; round += 1) await lives.goOn(at.log, 20);
    await assertWhole(at, hook);
  });

  test('ends with the removal of the webhook', async () => {
    const [hook, other] = [await receiver(), await receiver()];
    const at = site({ ports: [hook.port, other.port] });
    const { id } = await at.register(hook.url, { project: null });
    await at.register(other.url, { project: null });
    const deliverer = at.deliverer();
    const lives = life(seed, 6);
    await lives.goOn(at.log, 10);
    await assertWhole(at, hook, null);
    await at.perform(id, { type: 'RemoveWebhook', by: ours });
    await deliverer.stop();
    const count = hook.accepted.length;
    at.deliverer();
    await lives.goOn(at.log, 10);
    await assertWhole(at, other, null);
    assert.equal(hook.accepted.length, count);
  });
});
