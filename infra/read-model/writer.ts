import type { RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Entry, Projection } from '../../projections/projection.ts';
import { announcement, channel } from './announcement.ts';
import { type Generation, type Queryable, schemaOf, tablesOf } from './generation.ts';
import { recentEntries } from './recent-entries.ts';

/** Somebody else has moved this generation on, or retired it: whoever reads this must start again from what is stored. */
export class Fenced extends Error {
  constructor(schema: string, position: bigint) {
    super(`${schema} is no longer at position ${position} and ours to write`);
    this.name = 'Fenced';
  }
}

export interface Writer {
  /** The checkpoint. */
  readonly position: bigint;
  /**
   * Takes the next events of the log in: rows and checkpoint in one transaction, fenced by the checkpoint. Events that
   * are in already change nothing. Rejects with `Fenced`; after any rejection the writer is of no more use.
   */
  apply(db: Queryable, events: readonly RecordedEvent[]): Promise<void>;
}

/** Writes one generation. `keepEntries` is how many recently touched entries stay in memory. */
export function generationWriter<Parts extends object>(
  projection: Projection<Parts>,
  generation: Generation,
  keepEntries: number,
): Writer {
  const { name } = projection;
  const schema = schemaOf(name, generation.number);
  const tables = tablesOf(projection);
  const recent = recentEntries<Entry<Parts>>(keepEntries);
  const save = {
    name: `save-${generation.state}-${schema}`,
    text: saveSql(projection, generation),
  };
  const load = { name: `load-${schema}`, text: loadSql(projection, schema) };
  let position = generation.position;

  const loadMissing = async (db: Queryable, events: readonly Keyed[]): Promise<void> => {
    const missing = new Set<string>();
    const begun = new Set<string>();
    for (const { key, event } of events) {
      if (event.revision === 0) begun.add(key);
      else if (!begun.has(key) && !recent.has(key)) missing.add(key);
    }
    if (missing.size === 0) return;
    const { rows } = await db.query<{ key: string } & Record<string, string | null>>({
      ...load,
      values: [[...missing]],
    });
    for (const row of rows) recent.set(row.key, entryOf(row));
  };

  const entryOf = (row: Record<string, string | null> & { key: string }): Entry<Parts> =>
    Object.fromEntries(
      tables.flatMap(([table, { fromJson }]) => {
        const json = row[table];
        return typeof json === 'string'
          ? [[table, fromJson(JSON.parse(json) as JsonObject, row.key)]]
          : [];
      }),
    ) as Entry<Parts>;

  return {
    get position() {
      return position;
    },
    async apply(db, events) {
      const fresh = events.filter((event) => event.position > position);
      const last = fresh.at(-1)?.position;
      if (last === undefined) return;
      const keyed = fresh.flatMap((event): Keyed[] => {
        const key = projection.keyOf(event);
        return key === undefined ? [] : [{ key, event }];
      });
      await loadMissing(db, keyed);
      const before = new Map<string, Entry<Parts>>();
      const after = new Map<string, Entry<Parts>>();
      for (const { key, event } of keyed) {
        const entry = after.get(key) ?? recent.get(key) ?? {};
        if (!before.has(key)) before.set(key, entry);
        after.set(key, projection.fold(entry, event));
      }
      const changes = tables.flatMap(([table, { toJson }]) => {
        const put: JsonObject[] = [];
        const gone: string[] = [];
        for (const [key, entry] of after) {
          const part = entry[table];
          const was = before.get(key)?.[table];
          if (part === was) continue;
          if (part === undefined) gone.push(key);
          else put.push({ id: key, ...toJson(part) });
        }
        return [JSON.stringify(put), gone];
      });
      const { rowCount } = await db.query({ ...save, values: [last, position, ...changes] });
      if (rowCount !== 1) throw new Fenced(schema, position);
      position = last;
      for (const [key, entry] of after) recent.set(key, entry);
      recent.trim();
    },
  };
}

interface Keyed {
  readonly key: string;
  readonly event: RecordedEvent;
}

/** One statement, so that a single event costs one round trip and one commit. Moving the checkpoint comes first: it is the fence. */
function saveSql<Parts extends object>(
  projection: Projection<Parts>,
  { number, state }: Generation,
): string {
  const { name } = projection;
  const schema = schemaOf(name, number);
  const writes = tablesOf(projection).map(([table, { columns }], index) => {
    const names = Object.keys(columns);
    const types = Object.entries(columns).map(
      ([column, type]) => `${column} ${type.replace(' not null', '')}`,
    );
    const put = 3 + 2 * index;
    return `
      ${table}_put as (
        insert into ${schema}.${table} (id, ${names.join(', ')})
        select id, ${names.join(', ')}
        from moved, json_to_recordset($${put}::json) as row (id text, ${types.join(', ')})
        on conflict (id) do update
        set ${names.map((column) => `${column} = excluded.${column}`).join(', ')}
      ),
      ${table}_gone as (
        delete from ${schema}.${table}
        using moved
        where id = any ($${put + 1}::text[])
      )`;
  });
  const announce =
    state === 'live' ? `pg_notify('${channel}', '${announcement(name)}' || $1)` : '1';
  return `
    with moved as (
      update read_model.generation
      set position = $1::bigint
      where number = ${number} and state = '${state}' and position = $2::bigint
      returning 1
    ),
    ${writes.join(',')}
    select ${announce} from moved`;
}

function loadSql<Parts extends object>(projection: Projection<Parts>, schema: string): string {
  const names = tablesOf(projection).map(([table]) => table);
  const joins = names.map(
    (table) => `left join ${schema}.${table} as ${table} on ${table}.id = key`,
  );
  return `
    select key, ${names.map((table) => `case when ${table}.id is not null then to_json(${table})::text end as ${table}`).join(', ')}
    from unnest($1::text[]) as key
    ${joins.join('\n    ')}`;
}
