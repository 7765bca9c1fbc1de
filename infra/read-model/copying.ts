import type { Projection, Table, TableShape } from '../../projections/projection.ts';
import { copyIn } from '../postgres/copy-in.ts';
import { copyText } from '../postgres/copy-text.ts';
import type { Changes, Store, TableChanges } from './changes.ts';
import { type Generation, journalsOf, type Queryable, schemaOf, tablesOf } from './generation.ts';
import { putOff } from './put-off.ts';
import { byStatement, jsonArray, rowText, upsertSql } from './saving.ts';
import { isUnstorable } from './sparing.ts';

/** Characters that are sent at once, before the last row is added. */
const chunkLength = 64 * 1024;

/** Characters of rows that are put off at most, or about that many. */
const mostPutOff = 32 * 1024 * 1024;

/** A row that was put off is one that the table cannot hold: nobody can tell any more which event made it so. */
export class RowsRefused extends Error {
  constructor(schema: string, cause: unknown) {
    super(`rows of ${schema} that had been put off cannot be stored`, { cause });
    this.name = 'RowsRefused';
  }
}

/**
 * Stores rows with `copy`: the same as `byStatement`, in half the time, and made while Postgres stores those before
 * them. For a generation in the making alone, whose checkpoint nobody waits for; on one connection, in no transaction.
 *
 * Rows of tables, not those of journals, are put off while there are at most `putOffRows` of each, to be written once,
 * by `flush` at last. When one is refused then, everything rejects with `RowsRefused`. With `putOffRows` 0 nothing is put
 * off, and what `copy` refuses of a step is left to the statement, to be stored or refused by that.
 */
export function byCopy<Parts extends object>(
  projection: Projection<Parts>,
  generation: Generation,
  putOffRows = 0,
): Store<Parts> {
  const schema = schemaOf(projection.name, generation.number);
  const tables = tablesOf(projection).map(([name, table]) => ({
    write: tableCopy(schema, name, table),
    later: putOff<Parts[keyof Parts]>(),
  }));
  const journals = journalsOf(projection).map(([name, { rows, ...shape }]) => {
    const { sql, line } = copyOf(schema, name, shape);
    function* lines(turns: Changes<Parts>['turns']): Generator<string> {
      for (const { before, event, after } of turns)
        for (const row of rows(before, event, after)) yield line(String(row.id), row);
    }
    return (db: Queryable, turns: Changes<Parts>['turns']) => copied(db, sql, lines(turns));
  });
  const statement = byStatement(projection, generation);

  const saved = async (db: Queryable, changes: Changes<Parts>): Promise<boolean> => {
    const { rowCount } = await db.query({
      name: 'move-building',
      text: `
        update read_model.generation
        set position = $3
        where number = $1 and state = 'building' and position = $2`,
      values: [generation.number, changes.from, changes.to],
    });
    if (rowCount !== 1) return false;
    for (const add of journals) await add(db, changes.turns);
    if (putOffRows > 0) return true;
    for (const [index, change] of changes.tables.entries()) await tables[index]?.write(db, change);
    return true;
  };

  const flush = async (db: Queryable, keys?: readonly string[]): Promise<void> => {
    const isLater = tables.some(
      ({ later }) => later.size > 0 && (keys === undefined || keys.some(later.has)),
    );
    if (!isLater) return;
    try {
      await together(db, async () => {
        // The checkpoint has passed them: a crash of Postgres must not take them back without it.
        await db.query('set local synchronous_commit = on');
        for (const { write, later } of tables) await write(db, later.all());
      });
    } catch (error) {
      throw isUnstorable(error) ? new RowsRefused(schema, error) : error;
    }
    for (const { later } of tables) later.clear();
  };

  const putOffRest = async (db: Queryable, changes: Changes<Parts>): Promise<void> => {
    for (const [index, change] of changes.tables.entries()) tables[index]?.later.add(change);
    const rows = Math.max(...tables.map(({ later }) => later.size));
    const weight = tables.reduce((sum, { later }) => sum + later.weight, 0);
    if (rows > putOffRows || weight > mostPutOff) await flush(db);
  };

  return {
    async save(db, changes) {
      let isSaved: boolean;
      try {
        isSaved = await together(db, () => saved(db, changes));
      } catch (error) {
        if (!isUnstorable(error)) throw error;
        await flush(db);
        return statement.save(db, changes);
      }
      if (isSaved && putOffRows > 0) await putOffRest(db, changes);
      return isSaved;
    },
    flush,
  };
}

/** In one transaction. */
async function together<Value>(db: Queryable, work: () => Promise<Value>): Promise<Value> {
  try {
    await db.query('begin');
    const value = await work();
    await db.query('commit');
    return value;
  } catch (error) {
    await db.query('rollback').catch(() => undefined);
    throw error;
  }
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

  function* lines(put: TableChanges<Part>['put']): Generator<string> {
    for (const { key, part, isNew, size } of put) {
      if (!isNew) continue;
      const text = line(key, table.toJson(part));
      size.length = text.length;
      yield text;
    }
  }

  return async (db: Queryable, { put, gone }: TableChanges<Part>): Promise<void> => {
    await copied(db, sql, lines(put));
    const others = put.filter(({ isNew }) => !isNew);
    if (others.length > 0) {
      const rows = others.map((one) => rowText(table, one));
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
