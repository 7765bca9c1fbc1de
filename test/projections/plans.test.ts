import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Pool } from 'pg';
import type { Viewer } from '../../domain/image/visibility.ts';
import type { Filter, ListQuery } from '../../projections/images/list-query.ts';
import { imageQueries } from '../../projections/images/queries.ts';
import { testDatabase } from '../support/postgres.ts';
import { live, logOf, migrations, rebuildFrom } from './read-model.ts';

const images = 20_000;
const reader: Viewer = { projectId: 'project-7', isAdmin: false };
const admin: Viewer = { projectId: 'project-7', isAdmin: true };
const listing: ListQuery = {
  viewer: reader,
  filters: [],
  visibility: undefined,
  memberStatus: 'accepted',
  hidden: false,
  sort: [
    { key: 'created_at', direction: 'desc' },
    { key: 'id', direction: 'desc' },
  ],
  marker: undefined,
  limit: 25,
};
const filteredBy = (...filters: readonly Filter[]): ListQuery => ({ ...listing, filters });

interface Asked {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly name?: string;
}

describe('each hot query uses its index', () => {
  let pool: Pool;
  before(async () => {
    ({ pool } = await testDatabase(migrations));
    await rebuildFrom(pool, logOf([]));
    const { number } = await live(pool);
    // One tenant owns a third of all. Rows without their history: only the planner looks at them.
    await pool.query(
      `
      insert into images_${number}.image
        (id, name, status, visibility, owner, protected, hidden, min_disk, min_ram, tags, properties, members, shared_with, created_at, updated_at, locations, store_keys)
      select
        md5(n::text)::uuid, 'image ' || n / 3, 'active', (array['public', 'community', 'shared', 'private'])[1 + n % 4],
        case when n % 3 = 0 then 'project-7' else 'project-' || n % 100 end, false, n % 500 = 0, 0, 0, jsonb_build_array('tag-' || n % 200),
        jsonb_build_object('serial', n::text, 'os', 'debian', 'is_public', (n % 4 = 0)::text),
        '[]', case when n % 50 = 2 then jsonb_build_array('accepted project-' || n % 8, 'all project-' || n % 8, 'accepted guest', 'all guest') end, now() - n * interval '1 minute', now(), '[]', array['key/' || n]
      from generate_series(1, $1::integer) as n`,
      [images],
    );
    await pool.query(
      `
      insert into images_${number}.work (id, kind, epoch, position, since, correlation_id)
      select md5(n::text)::uuid, 'ingest', 1, n, now(), 'c' from generate_series(1, $1::integer) as n`,
      [images / 100],
    );
    await pool.query(
      `
      insert into images_${number}.work (id, kind, epoch, position, since, due, correlation_id)
      select md5((-n)::text)::uuid, 'scrub', 0, n, now(), now() + n * interval '1 minute', 'c'
      from generate_series(1, $1::integer) as n`,
      [images],
    );
    await pool.query(`vacuum (analyze) images_${number}.image, images_${number}.work`);
  });

  async function askedBy(
    ask: (queries: ReturnType<typeof imageQueries>) => Promise<unknown>,
  ): Promise<readonly Asked[]> {
    const asked: Asked[] = [];
    const listening = {
      query(query: Asked) {
        asked.push(query);
        return pool.query({ ...query, values: [...query.values] });
      },
    };
    await ask(imageQueries(listening as unknown as Pool));
    return asked;
  }

  /** The plans of what `ask` asks: of a named statement also the one that serves all values. */
  async function plansOf(
    ask: (queries: ReturnType<typeof imageQueries>) => Promise<unknown>,
  ): Promise<string> {
    const asked = await askedBy(ask);
    const client = await pool.connect();
    const plans: string[] = [];
    for (const { name, text, values } of asked)
      for (const mode of name === undefined ? ['custom'] : ['custom', 'generic']) {
        await client.query(`set plan_cache_mode = force_${mode}_plan`);
        await client.query(`prepare asked as ${text}`);
        const literals = values.map((value) => client.escapeLiteral(literal(value)));
        const execution = `execute asked ${literals.length === 0 ? '' : `(${literals.join(', ')})`}`;
        const { rows } = await client.query<{ 'QUERY PLAN': string }>(
          `explain (costs off) ${execution}`,
        );
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
        await client.query('deallocate asked');
      }
    client.release(true);
    return plans.join('\n\n');
  }

  const marker = '(select of the marker)';
  const cases: readonly [string, ListQuery, readonly string[], 'sorted by index' | 'sorted'][] = [
    ['the default listing', listing, ['image_by_kind', 'image_by_owner'], 'sorted by index'],
    [
      'its later pages',
      { ...listing, marker },
      ['image_pkey', 'image_by_kind', 'image_by_owner'],
      'sorted by index',
    ],
    [
      'a tenant’s own images',
      { ...listing, visibility: 'private' },
      ['image_by_owner'],
      'sorted by index',
    ],
    [
      'community images',
      { ...listing, visibility: 'community' },
      ['image_by_kind'],
      'sorted by index',
    ],
    [
      'an administrator’s listing',
      { ...listing, viewer: admin, visibility: 'all' },
      ['image_by_kind'],
      'sorted by index',
    ],
    [
      'an administrator’s default listing',
      { ...listing, viewer: admin },
      ['image_by_kind', 'image_by_owner'],
      'sorted by index',
    ],
    [
      'shared images',
      { ...listing, visibility: 'shared' },
      ['image_by_owner', 'image_by_member'],
      'sorted',
    ],
    [
      'what else was shared and waits for an answer',
      { ...listing, visibility: 'shared', memberStatus: 'pending' },
      ['image_by_owner', 'image_by_member'],
      'sorted',
    ],
    [
      'hidden images',
      { ...listing, viewer: admin, visibility: 'all', hidden: true },
      ['image_by_hidden'],
      'sorted by index',
    ],
    [
      'a name',
      filteredBy({ kind: 'one-of', field: 'name', values: ['image 7'] }),
      ['image_by_name'],
      'sorted',
    ],
    ['an id', filteredBy({ kind: 'one-of', field: 'id', values: ['x'] }), ['image_pkey'], 'sorted'],
    [
      'a rare property',
      filteredBy({ kind: 'property', name: 'serial', value: '77' }),
      ['image_by_property'],
      'sorted',
    ],
    [
      'a common property',
      filteredBy({ kind: 'property', name: 'os', value: 'debian' }),
      ['image_by_kind', 'image_by_owner'],
      'sorted by index',
    ],
    ['a tag', filteredBy({ kind: 'tag', value: 'nobody has it' }), ['image_by_tag'], 'sorted'],
  ];
  for (const [what, query, indexes, sorting] of cases)
    test(`a listing: ${what}`, async () => {
      const { rows } = await pool.query<{ id: string }>(
        `select id from images.image where visibility = 'public' offset 500 limit 1`,
      );
      const asked = query.marker === undefined ? query : { ...query, marker: rows[0]?.id };
      const plan = await plansOf((queries) => queries.list(asked));
      for (const index of indexes) assert.match(plan, new RegExp(`${index}\\b`));
      assert.doesNotMatch(plan, /Seq Scan/);
      if (sorting === 'sorted by index')
        assert.doesNotMatch(
          plan.replaceAll(whatMembersFind, ''),
          /^\W*(Incremental )?Sort\b(?! Key)/m,
        );
    });

  const isPublic: Filter = { kind: 'property', name: 'is_public', value: 'false' };
  const active: Filter = { kind: 'one-of', field: 'status', values: ['active'] };
  const ofAll = { viewer: admin, visibility: 'all' } as const;
  const searches: readonly [string, ListQuery, number][] = [
    ['what many have', { ...filteredBy(isPublic), ...ofAll }, 500],
    ['what many have, and more', { ...filteredBy(isPublic, active), ...ofAll }, 500],
    ['a long page of what many have', { ...filteredBy(isPublic), ...ofAll, limit: 100 }, 1_000],
    [
      'what few have, by whom much is shared with',
      {
        ...filteredBy({ kind: 'property', name: 'serial', value: '77' }),
        viewer: { projectId: 'guest', isAdmin: false },
      },
      300,
    ],
  ];
  for (const [what, query, most] of searches)
    test(`few images are looked at in search of ${what}`, async () => {
      for (const { text, values } of await askedBy((queries) => queries.list(query))) {
        const { rows } = await pool.query<{ 'QUERY PLAN': string }>({
          text: `explain (analyze, costs off, timing off, summary off) ${text}`,
          values: [...values],
        });
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        const counts = [...plan.matchAll(/(?:rows=|Rows Removed by Filter: )(\d+)/g)];
        assert.ok(Math.max(...counts.map(([, count]) => Number(count))) <= most, plan);
      }
    });

  test('show', async () => {
    assert.match(await plansOf((queries) => queries.show('x')), /image_pkey/);
  });

  test('open work', async () => {
    const plan = await plansOf((queries) => queries.openWork());
    assert.match(plan, /work_by_position/);
    assert.match(plan, /work_by_due/);
  });

  test('named keys', async () => {
    assert.match(await plansOf((queries) => queries.namedKeys(['a', 'b'])), /image_by_store_key/);
  });
});

/** What is shared with one project is collected and sorted: no index has it in order. */
const whatMembersFind =
  /-> +Sort\n +Sort Key.*\n +-> +Bitmap Heap Scan.*\n +Recheck Cond: .*shared_with @>/g;

const literal = (value: unknown): string => {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? `{${value.join(',')}}` : String(value);
};
