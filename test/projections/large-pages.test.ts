import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import type { ListQuery } from '../../projections/images/list-query.ts';
import { isFull } from '../../projections/images/page.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { migrations, rebuildFrom } from './read-model.ts';
import { newEvent, plain, uuid } from './recorded.ts';

const everything: ListQuery = {
  viewer: { projectId: 'project-a', isAdmin: true },
  filters: [],
  visibility: undefined,
  memberStatus: 'accepted',
  hidden: false,
  sort: [
    { key: 'created_at', direction: 'desc' },
    { key: 'id', direction: 'desc' },
  ],
  marker: undefined,
  limit: 1000,
};

/** The queries over a read model of so many images, each with a property of this size. */
async function listingOf(count: number, size: number) {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  const data = { ...plain, properties: { large: 'x'.repeat(size) } };
  const ids = Array.from({ length: count }, (_, index) => uuid(`image ${index}`));
  for (const id of ids)
    await log.append(`image-${id}`, [newEvent({ type: 'ImageCreated', data }, id)], -1);
  await rebuildFrom(pool, log);
  return { images: imageQueries(pool), ids };
}

test('a page of small images has all that were asked for', async () => {
  const { images, ids } = await listingOf(120, 10);
  for (const limit of [1, 24, 25, 26, 119, 120, 121, 1000]) {
    const page = await images.list({ ...everything, limit });
    assert.equal(page.length, Math.min(limit, ids.length));
    assert.equal(isFull(page, limit), limit <= ids.length);
  }
  const page = await images.list(everything);
  assert.deepEqual(page.map(({ id }) => id).sort(), [...ids].sort());
});

test('a page of large images is cut, and pages together have all of them once', async () => {
  const { images, ids } = await listingOf(60, 512 * 1024);
  const seen: string[] = [];
  let pages = 0;
  for (let marker: string | undefined; ; ) {
    const page = await images.list({ ...everything, marker });
    pages += 1;
    seen.push(...page.map(({ id }) => id));
    assert.ok(page.length <= 50, `${page.length} large images at once`);
    if (!isFull(page, everything.limit)) break;
    marker = page.at(-1)?.id;
  }
  assert.equal(pages, 2);
  assert.deepEqual([...seen].sort(), [...ids].sort());
});
