import type { Projection, Table, TableShape } from '../../projections/projection.ts';
import { copyIn } from '../postgres/copy-in.ts';
import { copyText } from '../postgres/copy-text.ts';
import type { Changes, Save, TableChanges } from './changes.ts';
import { type Generation, journalsOf, type Queryable, schemaOf, tablesOf } from './generation.ts';
import { byStatement, jsonArray, rowText, upsertSql } from './saving.ts';
import { isUnstorable } from './sparing.ts';

/** Characters that are sent at once, before the last row is added. */
const chunkLength = 64 * 1024;

/**
 * Stores each step with `copy`: the same rows as `byStatement`, in half the time, and made while Postgres stores those
 * before them. What `copy` refuses is left to the statement, to be stored or refused by that. For a generation in the
 * making alone, whose checkpoint nobody waits for; on one connection, outside of a transaction.
 */
export function byCopy<Parts extends object>(
  projection: Projection<Parts>,
  generation: Generation,
): Save<Parts> {
  const schema = schemaOf(projection.name, generation.number);
  const tables = tablesOf(projection).map(([name, table]) => tableCopy(schema, name, table));
  const journals = journalsOf(projection).map(([name, { rows, ...shape }]) => {
    const { sql, line } = copyOf(schema, name, shape);
    function* lines(turns: Changes<Parts>['turns']): Generator<string> {
      for (const { before, event, after } of turns)
        for (const row of rows(before, event, after)) yield line(String(row.id), row);
    }
    return (db: Queryable, turns: Changes<Parts>['turns']) => copied(db, sql, lines(turns));
  });
  const statement = byStatement(projection, generation);

  const save: Save<Parts> = async (db, { from, to, tables: changed, turns, weigh }) => {
    await db.query('begin');
    const { rowCount } = await db.query({
      name: 'move-building',
      text: `
        update read_model.generation
        set position = $3
        where number = $1 and state = 'building' and position = $2`,
      values: [generation.number, from, to],
    });
    if (rowCount === 1) {
      for (const add of journals) await add(db, turns);
      for (const [index, changes] of changed.entries()) await tables[index]?.(db, changes, weigh);
    }
    await db.query('commit');
    return rowCount === 1;
  };

  return (db, changes) =>
    save(db, changes).catch(async (error: unknown) => {
      await db.query('rollback').catch(() => undefined);
      if (!isUnstorable(error)) throw error;
      return statement(db, changes);
    });
}

const copyOf = (schema: string, table: string, { columns }: TableShape) => ({
  sql: `copy ${schema}.${table} (${['id', ...Object.keys(columns)].join(', ')}) from stdin`,
  line: copyText(columns),
});

/** Rows that a table does not have yet are copied, the others written over. */
function tableCopy<Part>(schema: string, name: string, table: Table<Part>) {
  const { sql, line } = copyOf(schema, name, table);
  const upsert = { name: `upsert-${schema}-${name}`, text: upsertSql(schema, name, table) };
  const remove = {
    name: `remove-${schema}-${name}`,
    text: `delete from ${schema}.${name} where id = any ($1::text[])`,
  };
  type Weigh = (part: object, length: number) => void;

  function* lines(put: TableChanges<Part>['put'], weigh: Weigh): Generator<string> {
    for (const { key, part, isNew } of put) {
      if (!isNew) continue;
      const text = line(key, table.toJson(part));
      weigh(part as object, text.length);
      yield text;
    }
  }

  return async (db: Queryable, { put, gone }: TableChanges<Part>, weigh: Weigh): Promise<void> => {
    await copied(db, sql, lines(put, weigh));
    const others = put.filter(({ isNew }) => !isNew);
    if (others.length > 0) {
      const rows = others.map(({ key, part }) => rowText(table, key, part, weigh));
      await db.query({ ...upsert, values: [jsonArray(rows)] });
    }
    if (gone.length > 0) await db.query({ ...remove, values: [gone] });
  };
}

/** Where there are none, nothing is sent. */
async function copied(db: Queryable, sql: string, lines: Iterable<string>): Promise<void> {
  const chunks = chunksOf(lines);
  const first = chunks.next();
  if (!first.done) await copyIn(db, sql, withFirst(first.value, chunks));
}

function* chunksOf(lines: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += line;
    if (chunk.length < chunkLength) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

function* withFirst(first: string, rest: Iterable<string>): Generator<string> {
  yield first;
  yield* rest;
}
