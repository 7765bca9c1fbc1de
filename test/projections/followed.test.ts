import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upcast } from '../../domain/image/upcast.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { followedImages } from '../../projections/images/followed.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { history } from './history.ts';
import { migrations, rebuildFrom } from './read-model.ts';
import { newEvent, plain, recorded, uuid } from './recorded.ts';

const roomy = 100_000_000;
const text = (value: unknown): string => JSON.stringify(value);

test('an image that was followed from its first event is what the read model gives, to the byte', async () => {
  const log = memoryEventLog({ upcast });
  const past = history(log, 20261123, 25);
  await past.goOn(1500);
  const odd = { Ä: '1', zz: '2', b: '3', '10': '4', '9': '5', aaa: '6', '𝄞': '7' };
  await log.append(
    `image-${uuid('odd names')}`,
    [newEvent({ type: 'ImageCreated', data: { ...plain, properties: odd } }, 'odd names')],
    -1,
  );
  const { pool } = await testDatabase(migrations);
  await rebuildFrom(pool, log);
  const events = await log.readAll(0n, 1_000_000);
  const followed = followedImages(roomy);
  for (const event of events) followed.heard(event);
  const images = imageQueries(pool);
  const ids = new Set(events.map(({ streamId }) => streamId.replace(/^image-/, '')));
  let compared = 0;
  for (const id of ids) {
    const own = followed.get(id);
    assert.equal(text(own?.record), text(await images.show(id)), id);
    if (own === undefined) continue;
    compared += 1;
    const last = events.findLast(({ streamId }) => streamId === `image-${id}`);
    assert.equal(own.position, last?.position);
  }
  assert.ok(compared > 10, `${compared} are there still`);
});

test('one that was not followed from the first, or without a gap, is not known', () => {
  const [created, ...rest] = recorded('1', [
    { type: 'ImageCreated', data: plain },
    { type: 'TagAdded', data: { tag: 'a' } },
    { type: 'TagAdded', data: { tag: 'b' } },
  ]);
  const [first, second] = rest;
  assert.ok(created && first && second);
  const followed = followedImages(roomy);
  followed.heard(first);
  assert.equal(followed.get('1'), undefined);
  followed.heard(created);
  assert.deepEqual(followed.get('1')?.record.tags, []);
  followed.heard(second);
  assert.equal(followed.get('1'), undefined);
});

test('many take no more room than they may, the newest stay', () => {
  const followed = followedImages(20_000);
  for (let index = 0; index < 100; index += 1) {
    const [created] = recorded(String(index), [{ type: 'ImageCreated', data: plain }]);
    assert.ok(created);
    followed.heard(created);
  }
  assert.equal(followed.get('0'), undefined);
  assert.ok(followed.get('99'));
});
