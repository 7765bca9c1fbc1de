import type { Projection, Table, TableShape } from '../../projections/projection.ts';
import { announcement, channel } from './announcement.ts';
import type { Put, Store } from './changes.ts';
import { type Generation, journalsOf, schemaOf, tablesOf } from './generation.ts';

/** Stores each step with one statement. */
export function byStatement<Parts extends object>(
  projection: Projection<Parts>,
  generation: Generation,
): Store<Parts> {
  const tables = tablesOf(projection);
  const journals = journalsOf(projection);
  const save = {
    name: `save-${generation.state}-${schemaOf(projection.name, generation.number)}`,
    text: saveSql(projection, generation),
  };
  return {
    async save(db, { from, to, tables: changed, turns }) {
      const changes = tables.flatMap(([, table], index) => {
        const { put, gone } = changed[index] ?? { put: [], gone: [] };
        const rows = put.map((one) => rowText(table, one));
        return [jsonArray(rows), gone];
      });
      const added = journals.map(([, { rows }]) =>
        jsonArray(
          turns.flatMap(({ before, event, after }) =>
            rows(before, event, after).map((row) => JSON.stringify(row)),
          ),
        ),
      );
      const { rowCount } = await db.query({ ...save, values: [to, from, ...changes, ...added] });
      return rowCount === 1;
    },
    async flush() {},
  };
}

/** A row as JSON; its size is that then. */
export function rowText<Part>({ toJson }: Table<Part>, { key, part, size }: Put<Part>): string {
  const row = JSON.stringify({ id: key, ...toJson(part) });
  size.length = row.length;
  return row;
}

export const jsonArray = (rows: readonly string[]): string => `[${rows.join(',')}]`;

/** One statement, so that a single event costs one round trip and one commit. Moving the checkpoint comes first: it is the fence. */
function saveSql<Parts extends object>(
  projection: Projection<Parts>,
  { number, state }: Generation,
): string {
  const { name } = projection;
  const schema = schemaOf(name, number);
  const tables = tablesOf(projection);
  const writes = tables.map(([table, shape], index) => {
    const put = 3 + 2 * index;
    return `
      ${table}_put as (
        ${insertSql(schema, table, shape, put)}${replaceSql(shape)}
      ),
      ${table}_gone as (
        delete from ${schema}.${table}
        using moved
        where id = any ($${put + 1}::text[])
      )`;
  });
  const additions = journalsOf(projection).map(
    ([table, shape], index) => `
      ${table}_added as (
        ${insertSql(schema, table, shape, 3 + 2 * tables.length + index)}
      )`,
  );
  return `
    with ${movedSql({ number, state })},
    ${[...writes, ...additions].join(',')}
    select ${announceSql(name, state)} from moved`;
}

/** Inserts the rows of a JSON array, the statement's value of that number, where `moved` has a row. */
function insertSql(schema: string, table: string, { columns }: TableShape, value: number): string {
  const names = Object.keys(columns);
  const types = Object.entries(columns).map(
    ([column, type]) => `${column} ${type.replace(' not null', '')}`,
  );
  return `insert into ${schema}.${table} (id, ${names.join(', ')})
        select id, ${names.join(', ')}
        from moved, json_to_recordset($${value}::json) as row (id text, ${types.join(', ')})`;
}

const replaceSql = ({ columns }: TableShape): string => `
        on conflict (id) do update
        set ${Object.keys(columns)
          .map((column) => `${column} = excluded.${column}`)
          .join(', ')}`;

/** The rows of one table alone, as a JSON array, written over those that there are. */
export const upsertSql = (schema: string, table: string, shape: TableShape): string => `
  with moved as (select)
  ${insertSql(schema, table, shape, 1)}
  ${replaceSql(shape)}`;

/**
 * Events that are none of this read model's business move its checkpoint alone, many times a second beside a busy read
 * model: such a commit need not wait for the disk. What a crash takes back is taken in again, and changes nothing.
 */
export function skipSql<Parts extends object>(
  { name }: Projection<Parts>,
  generation: Generation,
): string {
  const relaxed = generation.state === 'live' ? notWaiting : '';
  return `
    with ${movedSql(generation)}
    select ${announceSql(name, generation.state)}${relaxed} from moved`;
}

/** For this transaction alone. */
const notWaiting = `, set_config('synchronous_commit', 'off', true)`;

const movedSql = ({ number, state }: Pick<Generation, 'number' | 'state'>): string => `
    moved as (
      update read_model.generation
      set position = $1::bigint
      where number = ${number} and state = '${state}' and position = $2::bigint
      returning 1
    )`;

const announceSql = (model: string, state: Generation['state']): string =>
  state === 'live' ? `pg_notify('${channel}', '${announcement(model)}' || $1)` : '1';
