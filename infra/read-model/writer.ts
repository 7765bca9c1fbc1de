import type { RecordedEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Entry, Projection, TableShape } from '../../projections/projection.ts';
import { announcement, channel } from './announcement.ts';
import type { CheckpointMover } from './checkpoints.ts';
import { type Generation, journalsOf, type Queryable, schemaOf, tablesOf } from './generation.ts';
import { recentEntries } from './recent-entries.ts';

/** Somebody else has moved this generation on, or retired it: whoever reads this must start again from what is stored. */
export class Fenced extends Error {
  constructor(schema: string, position: bigint) {
    super(`${schema} is no longer at position ${position} and ours to write`);
    this.name = 'Fenced';
  }
}

export interface Writer {
  /** The checkpoint as it is stored. */
  readonly position: bigint;
  /** Whether events have been taken in that change nothing here and that the checkpoint has not passed yet. */
  readonly isAhead: boolean;
  /**
   * Takes the next events of the log in: rows and checkpoint in one transaction, fenced by the checkpoint; several
   * transactions, in order, when the rows are large. Events that are in already change nothing. With a mover, events
   * that are all none of this read model's business leave the checkpoint to `settle`. Rejects with `Fenced`.
   * When a row cannot be stored (`isUnstorable`) the writer stands where its last transaction left it; after any
   * other rejection it is of no more use.
   */
  apply(db: Queryable, events: readonly RecordedEvent[]): Promise<void>;
  /** Moves the checkpoint past all that was taken in. Rejects as `apply` does. */
  settle(db: Queryable): Promise<void>;
  /** Moves the checkpoint past the next event without it. Rejects as `apply` does. */
  passOver(db: Queryable, event: RecordedEvent): Promise<void>;
}

/** What the rows of one statement may weigh, in characters of JSON, before the last one is added. */
const stepWeight = 8 * 1024 * 1024;
/** Entries loaded at once: each may be as large as the domain lets it be. */
const loadAtOnce = 100;
const keepWeight = 64 * 1024 * 1024;

/**
 * Writes one generation. `keepEntries` is how many recently touched entries stay in memory, unless they are large. With a
 * `mover`, a live one's checkpoint passes events that change nothing together with others'.
 */
export function generationWriter<Parts extends object>(
  projection: Projection<Parts>,
  generation: Generation,
  keepEntries: number,
  mover?: CheckpointMover,
): Writer {
  const { name } = projection;
  const schema = schemaOf(name, generation.number);
  const tables = tablesOf(projection);
  const journals = journalsOf(projection);
  const recent = recentEntries<Entry<Parts>>(keepEntries, keepWeight);
  /** Of each part that was written or loaded: the length of its JSON. */
  const weights = new WeakMap<object, number>();
  const save = {
    name: `save-${generation.state}-${schema}`,
    text: saveSql(projection, generation),
  };
  const skip = {
    name: `skip-${generation.state}-${schema}`,
    text: skipSql(projection, generation),
  };
  const load = { name: `load-${schema}`, text: loadSql(projection, schema) };
  let position = generation.position;
  /** Up to here events have been taken in; above the checkpoint none of them changes anything. */
  let seen = position;

  const weightOf = (entry: Entry<Parts>): number =>
    tables.reduce((sum, [table]) => sum + (weights.get(entry[table] ?? noPart) ?? 0), 0);

  const remember = (key: string, entry: Entry<Parts>): void =>
    recent.set(key, entry, weightOf(entry));

  const entryOf = (row: Record<string, string | null> & { key: string }): Entry<Parts> =>
    Object.fromEntries(
      tables.flatMap(([table, { fromJson }]) => {
        const json = row[table];
        if (typeof json !== 'string') return [];
        const part = fromJson(JSON.parse(json) as JsonObject, row.key);
        weights.set(part as object, json.length);
        return [[table, part]];
      }),
    ) as Entry<Parts>;

  /** The next keys whose entries these events go on from and that are not in memory. */
  const missingOf = (events: readonly RecordedEvent[], known: ReadonlySet<string>): string[] => {
    const begun = new Set<string>();
    const missing = new Set<string>();
    for (const event of events) {
      const key = projection.keyOf(event);
      if (key === undefined || known.has(key) || recent.has(key)) continue;
      if (event.revision === 0) begun.add(key);
      else if (!begun.has(key)) missing.add(key);
      if (missing.size === loadAtOnce) break;
    }
    return [...missing];
  };

  /** How many of these events one statement takes in. Their entries are in memory then, as far as there are any. */
  const prepared = async (db: Queryable, events: readonly RecordedEvent[]): Promise<number> => {
    const known = new Set<string>();
    let weight = 0;
    for (const [index, event] of events.entries()) {
      const key = projection.keyOf(event);
      if (key === undefined || known.has(key)) continue;
      if (event.revision > 0 && !recent.has(key)) {
        const missing = missingOf(events.slice(index), known);
        const { rows } = await db.query<{ key: string } & Record<string, string | null>>({
          ...load,
          values: [missing],
        });
        for (const row of rows) remember(row.key, entryOf(row));
        for (const absent of missing) if (!recent.has(absent)) known.add(absent);
      }
      known.add(key);
      weight += weightOf(recent.get(key) ?? {});
      if (weight > stepWeight && index > 0) return index;
    }
    return events.length;
  };

  const hasMoved = async (
    db: Queryable,
    to: bigint,
    changes?: readonly unknown[],
  ): Promise<boolean> => {
    if (changes === undefined && mover !== undefined)
      return mover.move(generation.number, position, to);
    const { rowCount } =
      changes === undefined
        ? await db.query({ ...skip, values: [to, position] })
        : await db.query({ ...save, values: [to, position, ...changes] });
    return rowCount === 1;
  };

  const moveTo = async (db: Queryable, to: bigint, changes?: readonly unknown[]): Promise<void> => {
    if (!(await hasMoved(db, to, changes))) throw new Fenced(schema, position);
    position = to;
    seen = to;
  };

  const step = async (db: Queryable, events: readonly RecordedEvent[]): Promise<void> => {
    const before = new Map<string, Entry<Parts>>();
    const after = new Map<string, Entry<Parts>>();
    const added = journals.map((): string[] => []);
    for (const event of events) {
      const key = projection.keyOf(event);
      if (key === undefined) continue;
      const entry = after.get(key) ?? recent.get(key) ?? {};
      if (!before.has(key)) before.set(key, entry);
      for (const [index, [, { rows }]] of journals.entries())
        added[index]?.push(...rows(entry, event).map((row) => JSON.stringify(row)));
      after.set(key, projection.fold(entry, event));
    }
    const to = events.at(-1)?.position ?? position;
    if (after.size === 0) return moveTo(db, to);
    const changes = tables.flatMap(([table, { toJson }]) => {
      const put: string[] = [];
      const gone: string[] = [];
      for (const [key, entry] of after) {
        const part = entry[table];
        if (part === before.get(key)?.[table]) continue;
        if (part === undefined) {
          gone.push(key);
          continue;
        }
        const row = JSON.stringify({ id: key, ...toJson(part) });
        weights.set(part as object, row.length);
        put.push(row);
      }
      return [`[${put.join(',')}]`, gone];
    });
    await moveTo(db, to, [...changes, ...added.map((rows) => `[${rows.join(',')}]`)]);
    for (const [key, entry] of after) remember(key, entry);
    recent.trim();
  };

  return {
    get position() {
      return position;
    },
    get isAhead() {
      return seen > position;
    },
    async apply(db, events) {
      let rest = events.filter((event) => event.position > seen);
      if (mover !== undefined && rest.every((event) => projection.keyOf(event) === undefined)) {
        seen = rest.at(-1)?.position ?? seen;
        return;
      }
      while (rest.length > 0) {
        const count = await prepared(db, rest);
        await step(db, rest.slice(0, count));
        rest = rest.slice(count);
      }
    },
    async settle(db) {
      if (seen > position) await moveTo(db, seen);
    },
    async passOver(db, event) {
      if (event.position <= position) return;
      await moveTo(db, event.position);
    },
  };
}

const noPart = {};

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
        ${insertSql(schema, table, shape, put)}
        on conflict (id) do update
        set ${Object.keys(shape.columns)
          .map((column) => `${column} = excluded.${column}`)
          .join(', ')}
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

/** Inserts the rows of a JSON array, the statement's value of that number. */
function insertSql(schema: string, table: string, { columns }: TableShape, value: number): string {
  const names = Object.keys(columns);
  const types = Object.entries(columns).map(
    ([column, type]) => `${column} ${type.replace(' not null', '')}`,
  );
  return `insert into ${schema}.${table} (id, ${names.join(', ')})
        select id, ${names.join(', ')}
        from moved, json_to_recordset($${value}::json) as row (id text, ${types.join(', ')})`;
}

/**
 * Events that are none of this read model's business move its checkpoint alone, many times a second beside a busy read
 * model: such a commit need not wait for the disk. What a crash takes back is taken in again, and changes nothing.
 */
function skipSql<Parts extends object>(
  { name }: Projection<Parts>,
  generation: Generation,
): string {
  const relaxed =
    generation.state === 'live' ? `, set_config('synchronous_commit', 'off', true)` : '';
  return `
    with ${movedSql(generation)}
    select ${announceSql(name, generation.state)}${relaxed} from moved`;
}

const movedSql = ({ number, state }: Pick<Generation, 'number' | 'state'>): string => `
    moved as (
      update read_model.generation
      set position = $1::bigint
      where number = ${number} and state = '${state}' and position = $2::bigint
      returning 1
    )`;

const announceSql = (model: string, state: Generation['state']): string =>
  state === 'live' ? `pg_notify('${channel}', '${announcement(model)}' || $1)` : '1';

function loadSql<Parts extends object>(projection: Projection<Parts>, schema: string): string {
  const names = tablesOf(projection).map(([table]) => table);
  const joins = names.map(
    (table) => `left join ${schema}.${table} as ${table} on ${table}.id = key`,
  );
  return `
    select key, ${names.map((table) => `case when ${table}.id is not null then to_json(${table}.*)::text end as ${table}`).join(', ')}
    from unnest($1::text[]) as key
    ${joins.join('\n    ')}`;
}
