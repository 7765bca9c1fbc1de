import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Pool } from 'pg';
import { liveGeneration } from '../../infra/read-model/generation.ts';
import { pastQueries } from '../../projections/history/past.ts';
import { historyProjection } from '../../projections/history/projection.ts';
import { statement } from '../../projections/history/queries.ts';
import type { Filter, ListQuery } from '../../projections/images/list-query.ts';
import { logOf, migrations } from '../projections/read-model.ts';
import { testDatabase } from '../support/postgres.ts';
import { buildHistory } from './read-model.ts';

const images = 5_000;
const versions = 6;
/** The last position at which an image has a version that has ended. */
const middle = BigInt((versions / 2) * images);

const listing: ListQuery = {
  viewer: { projectId: 'project-7', isAdmin: false },
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
const filteredBy = (filter: Filter): ListQuery => ({ ...listing, filters: [filter] });

interface Asked {
  readonly text: string;
  readonly values: readonly unknown[];
}

const literal = (value: unknown): string => {
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? `{${value.join(',')}}` : String(value);
};

describe('each look back uses an index', () => {
  let pool: Pool;

  before(async () => {
    ({ pool } = await testDatabase(migrations));
    await buildHistory(pool, logOf([]));
    const { number } = (await liveGeneration(pool, historyProjection)) ?? {};
    const schema = `history_${number}`;
    const columns =
      'name, status, visibility, owner, protected, hidden, min_disk, min_ram, tags, properties, members, created_at, updated_at, locations';
    const values = `
      'image ' || n / 3, 'active', (array['public', 'community', 'shared', 'private'])[1 + n % 4],
      case when n % 3 = 0 then 'project-7' else 'project-' || n % 100 end, false, false, 0, 0,
      jsonb_build_array('tag-' || n % 200), jsonb_build_object('serial', n::text), '[]'::jsonb,
      now() - (${images} - n) * interval '1 second', now(), '[]'::jsonb`;
    // Every image changes once a round. Rows without their history: only the planner looks at them.
    await pool.query(`
      insert into ${schema}.past (id, image, from_position, to_position, ${columns})
      select n || '/' || v, n::text, v * ${images} + n, (v + 1) * ${images} + n, ${values}
      from generate_series(0, ${versions - 1}) as v, generate_series(1, ${images}) as n`);
    await pool.query(`
      insert into ${schema}.image (id, from_position, ${columns})
      select n::text, ${versions * images} + n, ${values} from generate_series(1, ${images}) as n`);
    await pool.query(`
      insert into ${schema}.change (id, kind, object, type, at, actor, project, inside, refused, weight, event)
      select
        lpad(n::text, 19, '0'), case when n % 500 = 0 then 'refusals' else 'image' end, n % ${images}, 'T',
        now() - (${versions * images} - n) * interval '1 second', 'user ' || n % 300, 'project-' || n % 100,
        false, n % 500 = 0, 2, '{}'
      from generate_series(1, ${versions * images}) as n`);
    await pool.query(`vacuum (analyze) ${schema}.past, ${schema}.image, ${schema}.change`);
  });

  async function planOf({ text, values }: Asked): Promise<string> {
    const client = await pool.connect();
    try {
      await client.query(`prepare asked as ${text}`);
      const literals = values.map((value) => client.escapeLiteral(literal(value)));
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain (costs off) execute asked (${literals.join(', ')})`,
      );
      return rows.map((row) => row['QUERY PLAN']).join('\n');
    } finally {
      client.release(true);
    }
  }

  const plansOf = async (ask: (pool: Pool) => Promise<unknown>): Promise<string> => {
    const asked: Asked[] = [];
    const listening = {
      query(query: Asked) {
        asked.push(query);
        return pool.query({ ...query, values: [...query.values] });
      },
    };
    await ask(listening as unknown as Pool);
    return (await Promise.all(asked.map(planOf))).join('\n\n');
  };

  // Of so few rows a tag or a property is found as fast in the listing's order; what matters is that not all are read.
  for (const [what, query, indexes] of [
    ['the default listing', listing, ['past_by_kind', 'past_by_owner']],
    [
      'an administrator’s',
      { ...listing, viewer: { projectId: null, isAdmin: true } },
      ['past_by_kind'],
    ],
    [
      'a name',
      filteredBy({ kind: 'one-of', field: 'name', values: ['image 7'] }),
      ['past_by_name'],
    ],
    ['a tag', filteredBy({ kind: 'tag', value: 'nobody has it' }), []],
    ['a rare property', filteredBy({ kind: 'property', name: 'serial', value: '77' }), []],
  ] as const)
    test(`a listing of then: ${what}`, async () => {
      const plan = await plansOf((asking) => pastQueries(asking).list(query, middle));
      for (const index of indexes) assert.match(plan, new RegExp(`${index}\\b`));
      assert.doesNotMatch(plan, /Seq Scan/);
    });

  test('an image of then', async () => {
    const plan = await plansOf((asking) => pastQueries(asking).show('7', middle));
    assert.match(plan, /image_pkey/);
    assert.match(plan, /past_pkey/);
    assert.doesNotMatch(plan, /Seq Scan|Sort/);
  });

  test('the position of a time', async () => {
    const plan = await plansOf((asking) => pastQueries(asking).positionAt(new Date()));
    assert.match(plan, /change_by_time/);
    assert.doesNotMatch(plan, /Seq Scan|Sort/);
  });

  const everybody = { projectId: null, seesAll: true };
  const owner = { projectId: 'project-7', seesAll: false };
  for (const [what, viewer, filter, indexes] of [
    ['all', everybody, {}, ['change_pkey']],
    ['one thing', everybody, { object: '7' }, ['change_by_object']],
    ['an actor', everybody, { actor: 'user 7' }, ['change_by_actor']],
    ['a project', everybody, { project: 'project-7' }, ['change_by_project', 'change_by_former']],
    ['refused attempts', everybody, { refused: true }, ['change_refused']],
    ['a namespace', everybody, { namespace: 'N' }, ['change_by_name', 'change_by_object']],
    ['an owner’s own', owner, {}, ['change_by_project', 'change_by_former']],
    ['an owner’s image', owner, { object: '7' }, ['change_by_object']],
  ] as const)
    test(`changes of ${what}`, async () => {
      const query = { viewer, filter, after: 0n, upTo: 100_000n, limit: 100 };
      const plan = await planOf(statement(query, 5_000, 4_000_000));
      for (const index of indexes) assert.match(plan, new RegExp(`${index}\\b`));
      assert.doesNotMatch(plan, /Seq Scan on change/);
    });
});
