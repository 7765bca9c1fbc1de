import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { handleImage } from '../../apps/handle-image.ts';
import { heedingHolds } from '../../apps/heeding-holds.ts';
import { holdKeeper } from '../../apps/legal-holds.ts';
import { type HoldCommand, projectHold } from '../../domain/hold/hold.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { image } from '../../domain/image/image.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { openHoldLocks } from '../../infra/retention/hold-locks.ts';
import { activated, asks, created, histories, member } from '../domain/fixtures.ts';
import { admin, alice, bob, reader, startGateway, type TestGateway } from '../support/gateway.ts';
import { testDatabase } from '../support/postgres.ts';
import { silent } from '../support/silent-log.ts';
import { specOf } from '../support/spec.ts';
import { until } from '../support/until.ts';

const auditor = 'otto:office:auditor,reader,member';
const reason = 'case 17, do not delete';
const placed: ImageEvent = { type: 'LegalHoldPlaced', data: { reason, from: null } };
const lifted: ImageEvent = { type: 'LegalHoldLifted', data: { reason } };
const ask = asks(member);

describe('A legal hold on an image', () => {
  const given = specOf(image);
  const place = { type: 'PlaceHold', reason } as const;

  test('keeps it from being deleted until it is lifted', () => {
    given(...activated, placed)
      .when(ask.DeleteImage)
      .refused('image-held', /under legal hold: case 17/);
    given(...activated, placed, lifted)
      .when(ask.DeleteImage)
      .records({ type: 'ImageDeleted', data: {} });
  });

  test('is on whatever there is or can be brought back, and is placed once', () => {
    for (const history of [[created], histories.saving, activated, histories.deactivated])
      given(...history)
        .when(place)
        .records(placed);
    const scheduled: ImageEvent = {
      type: 'ImageDeletionScheduled',
      data: { dueAt: '2026-01-01T00:00:00.000Z' },
    };
    given(...activated, scheduled)
      .when(place)
      .records(placed);
    given(...activated, placed)
      .when(place)
      .records();
    given(...activated, placed)
      .when({ type: 'PlaceHold', reason: 'another' })
      .records({ type: 'LegalHoldPlaced', data: { reason: 'another', from: reason } });
    given(...activated)
      .when({ type: 'LiftHold' })
      .records();
    given().when(place).refused('image-unknown');
    given(created, { type: 'ImageDeleted', data: {} }).when(place).refused('image-unknown');
  });

  test('puts the end of a delayed deletion off', () => {
    const scheduled: ImageEvent = {
      type: 'ImageDeletionScheduled',
      data: { dueAt: '2026-01-01T00:00:00.000Z' },
    };
    const scrub = { type: 'ScrubImage', at: '2026-02-01T00:00:00.000Z' } as const;
    for (const history of [
      [placed, scheduled],
      [scheduled, placed],
    ])
      given(...activated, ...history)
        .when(scrub)
        .refused('image-held');
    given(...activated, scheduled, placed, { type: 'ImageRestored', data: {} })
      .when(ask.DeleteImage)
      .refused('image-held');
    given(...activated, scheduled, placed, lifted)
      .when(scrub)
      .records({ type: 'ImageDeleted', data: {} });
  });
});

test('A project is under one hold or none, with the reason given last', () => {
  const given = specOf(projectHold);
  const place = (why: string): HoldCommand => ({ type: 'PlaceHold', reason: why });
  const first = { type: 'ProjectHoldPlaced', data: { reason: 'a', from: null } } as const;
  given().when(place('a')).records(first);
  given(first).when(place('a')).records();
  given(first)
    .when(place('b'))
    .records({ type: 'ProjectHoldPlaced', data: { reason: 'b', from: 'a' } });
  given(first)
    .when({ type: 'LiftHold' })
    .records({ type: 'ProjectHoldLifted', data: { reason: 'a' } });
  given().when({ type: 'LiftHold' }).records();
});

const hold = (gateway: TestGateway, target: string, token = auditor) =>
  gateway.send('PUT', `/audit/v1/holds/${target}`, { reason }, token);
const lift = (gateway: TestGateway, target: string, token = auditor) =>
  gateway.ask(`/audit/v1/holds/${target}`, { method: 'DELETE', token });
const remove = (gateway: TestGateway, id: string, token = alice) =>
  gateway.ask(`/v2/images/${id}`, { method: 'DELETE', token });

describe('At the gateway a hold', { concurrency: false }, () => {
  test('on an image makes DELETE answer 409 with the reason, whoever asks', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(Buffer.from('evidence'));
    assert.equal((await hold(gateway, `images/${id}`)).status, 200);
    for (const token of [alice, admin]) {
      const { status, text } = await remove(gateway, id, token);
      assert.equal(status, 409);
      assert.match(text, /The image is under legal hold: case 17, do not delete/);
    }
    const shown = await gateway.ask(`/audit/v1/holds/images/${id}`, { token: auditor });
    assert.deepEqual(JSON.parse(shown.text), { kind: 'image', id, reason });
    assert.equal((await lift(gateway, `images/${id}`)).status, 204);
    assert.equal((await remove(gateway, id)).status, 204);
    assert.equal((await hold(gateway, `images/${id}`)).status, 404);
  });

  test('on a project is for all of its images, also those to come, and no way leads out', async (t) => {
    const gateway = await startGateway(t);
    const [before, others] = [await gateway.create(), await gateway.create({}, bob)];
    assert.equal((await hold(gateway, 'projects/red')).status, 200);
    const after = await gateway.create();
    for (const id of [before, after]) {
      const { status, text } = await remove(gateway, id);
      assert.equal(status, 409);
      assert.match(text, /The project red is under legal hold: case 17/);
    }
    const away = [{ op: 'replace', path: '/owner', value: 'blue' }];
    assert.equal((await gateway.patch(`/v2/images/${before}`, away, admin)).status, 409);
    assert.equal((await remove(gateway, others, bob)).status, 204);
    assert.equal((await lift(gateway, 'projects/red')).status, 204);
    assert.equal((await gateway.patch(`/v2/images/${before}`, away, admin)).status, 200);
    assert.equal((await remove(gateway, after)).status, 204);
  });

  test('is for auditors and administrators to place, lift and see', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    for (const target of [`images/${id}`, 'projects/red']) {
      assert.equal((await hold(gateway, target, alice)).status, 403);
      assert.equal((await hold(gateway, target, admin)).status, 200);
      assert.equal((await lift(gateway, target, alice)).status, 403);
      const asked = await gateway.ask(`/audit/v1/holds/${target}`, { token: bob });
      assert.equal(asked.status, 403);
    }
    assert.equal((await gateway.ask('/audit/v1/holds', { token: alice })).status, 403);
    for (const wrong of [{}, { reason: '' }, { reason: 7 }, { reason, more: 1 }]) {
      const path = `/audit/v1/holds/images/${id}`;
      assert.equal((await gateway.send('PUT', path, wrong, auditor)).status, 400);
    }
  });

  test('on an image is seen by the project that owns it, and by no other', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create({ name: 'evidence', visibility: 'public' }, admin);
    const own = await gateway.create();
    const see = (imageId: string, token: string) =>
      gateway.ask(`/audit/v1/holds/images/${imageId}`, { token });
    assert.equal((await see(own, alice)).status, 404);
    for (const held of [id, own]) await hold(gateway, `images/${held}`);
    await hold(gateway, 'projects/red');
    for (const token of [alice, reader]) {
      const { status, text } = await see(own, token);
      assert.equal(status, 200, text);
      assert.deepEqual(JSON.parse(text), { kind: 'image', id: own, reason });
      assert.equal((await see(id, token)).status, 403);
      assert.equal((await see(randomUUID(), token)).status, 403);
      assert.equal((await gateway.ask('/audit/v1/holds/projects/red', { token })).status, 403);
    }
    for (const token of [bob, 'nina:red:nothing', 'rob:blue:reader'])
      assert.equal((await see(own, token)).status, 403);
    await lift(gateway, `images/${own}`);
    assert.equal((await see(own, alice)).status, 404);
  });

  test('is listed while it stands, and stays in history with who placed it', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.create();
    await hold(gateway, `images/${id}`);
    await hold(gateway, 'projects/red');
    await hold(gateway, 'projects/blue');
    await lift(gateway, 'projects/blue');
    const list = async () =>
      JSON.parse((await gateway.ask('/audit/v1/holds', { token: auditor })).text).holds;
    assert.deepEqual(await list(), [
      { kind: 'image', id, reason },
      { kind: 'project', id: 'red', reason },
    ]);
    await lift(gateway, `images/${id}`);
    assert.equal((await list()).length, 1);
    const changesOf = async (path: string) =>
      JSON.parse((await gateway.ask(path, { token: alice })).text).changes;
    const own = await changesOf(`/history/v1/images/${id}`);
    const told = own.map((one: { type: string; details?: object }) => [one.type, one.details]);
    assert.deepEqual(told.slice(1), [
      ['LegalHoldPlaced', { reason, from: null }],
      ['LegalHoldLifted', { reason }],
    ]);
    assert.equal(own[1].actor.user_id ?? own[1].actor.id, 'otto');
    const [project] = await changesOf('/history/v1/projects/red');
    assert.deepEqual(
      [project.type, project.details],
      ['ProjectHoldPlaced', { reason, from: null }],
    );
  });
});

describe('A hold and a deletion at the same time', { concurrency: false }, () => {
  const context = () => ({
    commandId: randomUUID(),
    metadata: {
      actor: { kind: 'system', part: 'test' },
      requestId: 'req-test',
      correlationId: randomUUID(),
    } as const,
  });

  async function locksOf(t: TestContext) {
    const database = await testDatabase();
    const open = () =>
      openHoldLocks(database.url, { log: silent, applicationName: `holds-${randomUUID()}` });
    const [one, other] = [open(), open()];
    t.after(() => Promise.all([one.close(), other.close()]));
    return { database, one, other };
  }

  test('come one after the other: what is on its way is in the log before the hold', async (t) => {
    const { one, other, database } = await locksOf(t);
    const log = memoryEventLog({ upcast: (event) => event });
    const id = randomUUID();
    const never = new AbortController().signal;
    const owned = { ...created, data: { ...created.data, owner: 'red' } } as ImageEvent;
    await handleImage(log, { ...image, decide: () => [owned] })(
      `image-${id}`,
      { type: 'LiftHold' },
      context(),
      never,
    );
    let release = (): void => {};
    let isOnItsWay = false;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: typeof log = {
      ...log,
      async append(...args) {
        isOnItsWay = true;
        await released;
        return log.append(...args);
      },
    };
    const caller = { userId: 'root', projectId: 'red', roles: ['admin', 'member', 'reader'] };
    const deletion = heedingHolds(handleImage(slow), { log, locks: one })(
      `image-${id}`,
      { type: 'DeleteImage', caller },
      context(),
      never,
    );
    await until('the deletion to be on its way', () => isOnItsWay);
    const target = { kind: 'project', id: 'red' } as const;
    const place = { type: 'PlaceHold', reason } as const;
    const placing = holdKeeper({ log, locks: other })(target, place, context(), never);
    await until('the hold to wait for it', async () => {
      const { rows } = await database.pool.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length === 1;
    });
    assert.equal((await log.readStream('hold-red')).events.length, 0);
    release();
    const { position } = await deletion;
    assert.ok((await placing) > position);
  });

  test('hinder no deletion of another, and no hold on another project', async (t) => {
    const { one, other } = await locksOf(t);
    await one.whileDeleting('red', async () => {
      assert.equal(await other.whileDeleting('red', async () => 'too'), 'too');
      assert.equal(await other.whilePlacing('blue', async () => 'placed'), 'placed');
    });
    assert.equal(await other.whilePlacing('red', async () => 'then'), 'then');
  });

  test('wait for no process that is dead', async (t) => {
    const { one, other, database } = await locksOf(t);
    let die = (): void => {};
    let isBegun = false;
    const stuck = one.whileDeleting('red', () => {
      isBegun = true;
      return new Promise<void>((resolve) => {
        die = resolve;
      });
    });
    await until('the deletion to begin', () => isBegun);
    const placing = other.whilePlacing('red', async () => 'placed');
    await until('the lock to be waited for', async () => {
      const { rows } = await database.pool.query(
        `select pid from pg_locks where locktype = 'advisory' and granted
         and exists (select from pg_locks where locktype = 'advisory' and not granted)`,
      );
      for (const { pid } of rows)
        await database.pool.query('select pg_terminate_backend($1)', [pid]);
      return rows.length > 0;
    });
    assert.equal(await placing, 'placed');
    die();
    await stuck;
  });
});
