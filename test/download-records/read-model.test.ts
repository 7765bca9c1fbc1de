import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import type { Pool } from 'pg';
import type { DownloadEvent } from '../../domain/download-record/events.ts';
import type { NewEvent, RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { generationWriter } from '../../infra/read-model/writer.ts';
import { forgetDownloads } from '../../infra/retention/forget-downloads.ts';
import type { DownloadQuery, DownloadRecord } from '../../projections/downloads/downloads.ts';
import { downloadsProjection } from '../../projections/downloads/projection.ts';
import { downloadQueries } from '../../projections/downloads/queries.ts';
import { migrations, unexpected } from '../projections/read-model.ts';
import { memoryDownloads } from '../support/gateway-downloads.ts';
import { testDatabase } from '../support/postgres.ts';

const images = Array.from({ length: 5 }, () => randomUUID());
const projects = ['red', 'blue', null];
const users = ['nova', 'eve', 'alice'];
const count = 3_000;

const writer = 'gateway-1';
const everything = 2n ** 62n;
const auditor = { projectId: null, seesAll: true };

const eventOf = (event: DownloadEvent, userId: string): NewEvent => ({
  id: randomUUID(),
  type: event.type,
  schemaVersion: 1,
  data: event.data as unknown as JsonObject,
  metadata: {
    actor: { kind: 'user', userId, projectId: 'blue', roles: ['member'] },
    requestId: 'req-1',
    causationId: 'c',
    correlationId: 'c',
    personal: 'hash',
  },
});

/** Of every third download nothing was told, every other has an end. */
const eventsOf = (index: number): readonly NewEvent[] => {
  const user = users[index % users.length] ?? '';
  const of = {
    downloadId: `download-${index}`,
    imageId: images[index % images.length] ?? '',
    owner: projects[(index >> 2) % projects.length] ?? null,
  };
  const sent = {
    ...{ reads: 2, bytes: 70, extents: [[0, 70]] as const, exact: true, complete: false },
    ...{ firstAt: '2026-05-01T12:00:00.000Z', lastAt: '2026-05-01T12:00:10.000Z' },
  };
  const begun = { ...of, size: 100, hash: null, asked: [0, 100] as const, writer };
  const told = { ...of, ...sent, ended: index % 2 === 0 };
  return [
    eventOf({ type: 'DownloadBegun', data: begun }, user),
    ...(index % 3 === 0 ? [] : [eventOf({ type: 'ImageDownloaded', data: told }, user)]),
    ...(index % 15 === 0 ? [eventOf({ type: 'DownloadLost', data: { ...of, writer } }, user)] : []),
    // What an end was told twice for, or comes behind it, changes nothing.
    ...(told.ended && index % 3 !== 0
      ? [eventOf({ type: 'ImageDownloaded', data: { ...told, reads: 99 } }, user)]
      : []),
  ];
};

describe('the read model of downloads', () => {
  let pool: Pool;
  const log = memoryEventLog({ upcast: (event: RecordedEvent) => event });

  const build = () =>
    rebuild({
      projection: downloadsProjection,
      pool,
      log,
      signal: new AbortController().signal,
      onUnprojectable: unexpected,
    });

  before(async () => {
    ({ pool } = await testDatabase(migrations));
    const all = Array.from({ length: count }, (_, index) => eventsOf(index)).flat();
    await log.append('downloads-2026-05-01-gateway-1-0', all, -1);
    await build();
    await pool.query('analyze');
  });

  const [image] = images;
  const queries: readonly Pick<DownloadQuery, 'viewer' | 'filter'>[] = [
    { viewer: auditor, filter: {} },
    { viewer: auditor, filter: { image } },
    { viewer: auditor, filter: { image, actor: 'eve' } },
    { viewer: auditor, filter: { project: 'red' } },
    { viewer: auditor, filter: { actor: 'nova', project: 'blue' } },
    { viewer: { projectId: 'red', seesAll: false }, filter: {} },
    { viewer: { projectId: 'red', seesAll: false }, filter: { image } },
    { viewer: { projectId: 'green', seesAll: false }, filter: { image } },
    { viewer: { projectId: null, seesAll: false }, filter: {} },
    { viewer: auditor, filter: { from: new Date('2100-01-01') } },
  ];
  for (const query of queries)
    test(`gives page by page what memory gives, of ${JSON.stringify(query)}`, async () => {
      const records = downloadQueries(pool, { weight: 40_000 });
      const all: DownloadRecord[] = [];
      let pages = 0;
      for (let after = 0n; after < everything; pages += 1) {
        const page = await records.page({ ...query, after, upTo: everything, limit: 300 });
        assert.ok(page.downloads.length <= 300 && page.next > after);
        all.push(...page.downloads);
        after = page.next;
      }
      const expected = await memoryDownloads(log).page({
        ...query,
        ...{ after: 0n, upTo: everything, limit: count + 1 },
      });
      assert.deepEqual(all, expected.downloads);
      assert.ok(all.length === 0 || pages > all.length / 300);
    });

  test('forgets what began before the days that are kept, unless it goes on', async () => {
    const days = (count: number) => new Date(Date.now() - count * 86_400_000).toISOString();
    await pool.query(
      `update downloads.download set begun_at = $1, told_at = $1 where id = 'download-8'`,
      [days(10)],
    );
    await pool.query(`update downloads.download set begun_at = $1 where id = 'download-9'`, [
      days(10),
    ]);
    assert.deepEqual(
      [
        await forgetDownloads(pool, 11),
        await forgetDownloads(pool, 9),
        await forgetDownloads(pool, 9),
      ],
      [0, 1, 0],
    );
    const { rows } = await pool.query<{ id: string }>(
      `select id from downloads.download where id in ('download-8', 'download-9')`,
    );
    assert.deepEqual(rows, [{ id: 'download-9' }]);
    await build();
  });

  test('has those that are neither ended nor lost, the oldest first', async () => {
    await pool.query(
      `update downloads.download set told_at = now() - interval '1 hour' where id in ('download-2', 'download-3', 'download-15')`,
    );
    const silent = await downloadQueries(pool).silent(60_000);
    assert.deepEqual(
      silent.map(({ id }) => id),
      ['download-3'],
    );
    await build();
  });

  test('tells no more of what began before the days that are kept', async () => {
    const at = new Date(Date.now() - 10 * 86_400_000).toISOString();
    await pool.query(`update downloads.download set begun_at = $1 where id = 'download-7'`, [at]);
    const countKept = async (keepDays: number): Promise<number> => {
      const asked = { viewer: auditor, filter: {}, after: 0n, upTo: everything, limit: count + 1 };
      return (await downloadQueries(pool, { keepDays, weight: 2 ** 40 }).page(asked)).downloads
        .length;
    };
    assert.deepEqual(
      [await countKept(0), await countKept(11), await countKept(9)],
      [...[count, count, count - 1]],
    );
  });

  test('looks at no others for those that are rare', async () => {
    for (const [where, index] of [
      [`image = 'rare' and position > 100 order by position limit 10`, 'download_by_image'],
      [`owner = 'rare' and position > 100 order by position limit 10`, 'download_by_owner'],
      [`actor = 'rare' and position > 100 order by position limit 10`, 'download_by_actor'],
      ['position > 100 order by position limit 10', 'download_by_position'],
    ]) {
      const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
        `explain select id from downloads.download where ${where}`,
      );
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      assert.match(plan, new RegExp(`${index}`), plan);
    }
  });
});

test('whoever takes a download over knows what was told of it in other streams', async () => {
  const { pool } = await testDatabase(migrations);
  const log = memoryEventLog({ upcast: (event) => event });
  const onUnprojectable = unexpected;
  const { signal } = new AbortController();
  await rebuild({ projection: downloadsProjection, pool, log, signal, onUnprojectable });
  const generation = await liveGeneration(pool, downloadsProjection);
  assert.ok(generation);
  const of = { downloadId: 'taken-over', imageId: images[0] ?? '', owner: 'red' };
  const begun = { ...of, size: 100, hash: null, asked: [0, 100] as const, writer };
  const lost = eventOf({ type: 'DownloadLost', data: { ...of, writer } }, 'nova');
  await log.append(
    'downloads-gateway-1-1',
    [eventOf({ type: 'DownloadBegun', data: begun }, 'nova')],
    -1,
  );
  const first = generationWriter(downloadsProjection, generation, 10);
  await first.apply(pool, await log.readAll(0n, 10));
  await log.append('downloads-lost-taken-over', [lost], -1);
  const standing = await liveGeneration(pool, downloadsProjection);
  assert.ok(standing);
  const next = generationWriter(downloadsProjection, standing, 10);
  await next.apply(pool, await log.readAll(first.position, 10));
  const { rows } = await pool.query('select id, lost from downloads.download');
  assert.deepEqual(rows, [{ id: 'taken-over', lost: true }]);
});
