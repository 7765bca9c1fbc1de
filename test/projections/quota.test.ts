import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { rebuild } from '../../infra/read-model/rebuild.ts';
import { quotaProjection } from '../../projections/quota/projection.ts';
import { quotaQueries } from '../../projections/quota/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { logOf, migrations, unexpected } from './read-model.ts';

const images = 100_000;

describe('the quota of a project with 100,000 images', () => {
  test('is summed up from the index alone', async (t) => {
    const { pool } = await testDatabase(migrations);
    const { signal } = new AbortController();
    const log = logOf([]);
    await rebuild({ projection: quotaProjection, pool, log, signal, onUnprojectable: unexpected });
    const live = await liveGeneration(pool, quotaProjection);
    assert.ok(live);
    const table = `quota_${live.number}.charge`;
    await pool.query(
      `
      insert into ${table} (id, owner, images, bytes, staged, uploads, image)
      select 'image-' || n, case when n <= $1 then 'red' else 'blue' end, 1, n, 0, n % 2, '{"status": "active"}'
      from generate_series(1, 2 * $1::integer) as n`,
      [images],
    );
    await pool.query(`vacuum (analyze) ${table}`);
    const quotas = quotaQueries(pool);
    const { usage } = await quotas.usageOf('red');
    assert.deepEqual(usage, {
      images,
      bytes: (images * (images + 1)) / 2,
      staged: 0,
      uploads: images / 2,
    });
    const began = performance.now();
    for (let round = 0; round < 10; round += 1) await quotas.usageOf('red');
    t.diagnostic(
      `${images} images are summed up in ${((performance.now() - began) / 10).toFixed(1)} ms`,
    );
    const { rows } = await pool.query<{ 'QUERY PLAN': string }>(
      `explain select sum(images), sum(bytes), sum(staged), sum(uploads) from quota.charge where owner = 'red'`,
    );
    assert.match(
      rows.map((row) => row['QUERY PLAN']).join('\n'),
      /Index Only Scan using charge_by_owner/,
    );
  });
});
