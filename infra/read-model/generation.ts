import pg, { type ClientBase, type Pool } from 'pg';
import type { Journal, Projection, TableShape } from '../../projections/projection.ts';

/**
 * One set of a read model's tables, in a schema of its own. Numbers are never used twice, so a writer that slept
 * through everything can harm nobody.
 *
 *     building → live → retired → dropped          building → dropped, when the next rebuild begins
 */
export interface Generation {
  readonly number: number;
  readonly version: number;
  readonly state: 'building' | 'live';
  /** The checkpoint: everything up to here is in the tables. */
  readonly position: bigint;
  /** Of the log that it was made from; null while that is not known. */
  readonly logId: string | null;
}

/** Runs on a pool, or inside a transaction. */
export type Queryable = Pick<ClientBase, 'query'>;

export const schemaOf = (model: string, number: number): string => `${model}_${number}`;

/** Code-point order everywhere, whatever the database was made with. */
const columnType = (type: string): string => type.replace(/^text(\[\])?/, 'text$1 collate "C"');

interface GenerationRow {
  readonly number: string | number | bigint;
  readonly version: number;
  readonly position: string | number | bigint;
  readonly log_id: string | null;
}

/** The generation that queries read, if there is one and nobody has dropped any of its tables or views. */
export async function liveGeneration<Parts extends object>(
  db: Queryable,
  projection: Projection<Parts>,
): Promise<Generation | undefined> {
  const { name } = projection;
  const { rows } = await db.query<GenerationRow>({
    name: `live-${name}`,
    text: `
      select number, version, position, log_id
      from read_model.generation
      where model = $1 and state = 'live' and not exists (
        select from unnest(array['', '_' || number]) as generation, unnest($2::text[]) as name
        where to_regclass(model || generation || '.' || name) is null
      )`,
    values: [name, shapesOf(projection).map(([table]) => table)],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    number: Number(row.number),
    version: row.version,
    state: 'live',
    position: BigInt(row.position),
    logId: row.log_id,
  };
}

/** Empty tables beside the live ones, without their indexes but the keys'. */
export async function createGeneration<Parts extends object>(
  pool: Pool,
  projection: Projection<Parts>,
  logId: string | null,
): Promise<Generation> {
  const { name, version } = projection;
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ number: string | number | bigint }>(
      `insert into read_model.generation (model, version, state, log_id) values ($1, $2, 'building', $3) returning number`,
      [name, version, logId],
    );
    const number = Number(rows[0]?.number);
    await client.query(`create schema ${schemaOf(name, number)}`);
    for (const [table, { columns, storage, distinct, longest }] of shapesOf(projection)) {
      const list = [
        ...Object.entries(columns).map(([column, type]) => `${column} ${columnType(type)}`),
        ...Object.entries(longest).map(
          ([text, most]) => `check (octet_length(${text}) <= ${most})`,
        ),
      ];
      await client.query(`
        create table ${schemaOf(name, number)}.${table} (
          id text collate "C" primary key,
          ${list.join(',\n          ')}
        ) with (${storage})`);
      for (const [column, count] of Object.entries(distinct))
        await client.query(
          `alter table ${schemaOf(name, number)}.${table} alter column ${column} set (n_distinct = ${count})`,
        );
    }
    return { number, version, state: 'building', position: 0n, logId };
  });
}

/** What is cheaper made over all rows at once, on several connections side by side. */
export async function createIndexes<Parts extends object>(
  connections: readonly Queryable[],
  projection: Projection<Parts>,
  number: number,
): Promise<void> {
  const tables = shapesOf(projection).map(
    ([table, { indexes }]) =>
      [`${schemaOf(projection.name, number)}.${table}`, Object.entries(indexes)] as const,
  );
  const runAll = async (statements: readonly string[]): Promise<void> => {
    const left = [...statements];
    const run = async (db: Queryable): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await db.query(next);
    };
    const ends = await Promise.allSettled(
      connections.map((db) =>
        run(db).catch((error: unknown) => {
          left.length = 0;
          throw error;
        }),
      ),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  };
  await runAll(
    tables.flatMap(([table, indexes]) =>
      indexes.map(([index, definition]) => `create index ${index} on ${table} ${definition}`),
    ),
  );
  await runAll(tables.map(([table]) => `vacuum (analyze) ${table}`));
}

/** Points the views of the read model's schema at a generation. */
export async function createViews<Parts extends object>(
  client: Queryable,
  projection: Projection<Parts>,
  number: number,
  shapeChanged: boolean,
): Promise<void> {
  const { name } = projection;
  for (const [table, { columns }] of shapesOf(projection)) {
    const list = ['id', ...Object.keys(columns)].join(', ');
    if (shapeChanged) await client.query(`drop view if exists ${name}.${table}`);
    await client.query(`
      create or replace view ${name}.${table} as
      select ${list} from ${schemaOf(name, number)}.${table}`);
  }
}

/** Ends generations that a rebuild left half-way. If that rebuild still runs, it finds itself fenced. */
export async function abandonBuilding(pool: Pool, model: string): Promise<void> {
  await pool.query(
    `update read_model.generation set state = 'retired', retired_at = '-infinity' where model = $1 and state = 'building'`,
    [model],
  );
}

/** Marks a live generation that is ahead of its log as void: queries keep it until another is swapped in, writers do not. */
export async function voidAhead(db: Queryable, model: string, head: bigint): Promise<void> {
  await db.query(
    `update read_model.generation set position = 0, version = 0 where model = $1 and state = 'live' and position > $2`,
    [model, head],
  );
}

/** Drops generations that were retired `graceMs` ago: no query that began before is still running. */
export async function dropRetired(pool: Pool, model: string, graceMs: number): Promise<void> {
  const { rows } = await pool.query<{ number: string | number | bigint }>(
    `
    select number
    from read_model.generation
    where model = $1 and state = 'retired' and retired_at < now() - $2 * interval '1 millisecond'`,
    [model, graceMs],
  );
  for (const { number } of rows) {
    const dropped = dropGeneration(pool, model, Number(number));
    // One that is in use after all, or is dropped by another at this moment, is left for the next time.
    await dropped.catch((error) => {
      if (!isLockTrouble(error)) throw error;
    });
  }
}

const dropGeneration = (pool: Pool, model: string, number: number): Promise<void> =>
  inTransaction(pool, async (client) => {
    await client.query(`set local lock_timeout = '1s'`);
    await client.query('delete from read_model.generation where number = $1', [number]);
    await client.query(`drop schema if exists ${schemaOf(model, number)} cascade`);
  });

/** Lock not available, or a deadlock: to be tried again. */
export const isLockTrouble = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && (error.code === '55P03' || error.code === '40P01');

export async function inTransaction<Value>(
  pool: Pool,
  work: (client: ClientBase) => Promise<Value>,
): Promise<Value> {
  const client = await pool.connect();
  let failure: unknown;
  try {
    await client.query('begin');
    const value = await work(client);
    await client.query('commit');
    return value;
  } catch (error) {
    failure = error;
    await client.query('rollback').catch(() => {});
    throw error;
  } finally {
    // A connection that failed may still hold the transaction: it is not for others to use.
    client.release(failure !== undefined);
  }
}

export const tablesOf = <Parts extends object>(projection: Projection<Parts>) =>
  Object.entries(projection.tables) as [
    string & keyof Parts,
    Projection<Parts>['tables'][keyof Parts],
  ][];

export const journalsOf = <Parts extends object>({
  journals = {},
}: Projection<Parts>): readonly [string, Journal<Parts>][] => Object.entries(journals);

/** Everything that a generation stores. */
export const shapesOf = <Parts extends object>(
  projection: Projection<Parts>,
): readonly [string, TableShape][] => [...tablesOf(projection), ...journalsOf(projection)];
