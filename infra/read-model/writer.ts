import type { RecordedEvent } from '../../domain/event-log.ts';
import { type JsonObject, roughLength } from '../../domain/json.ts';
import type { Entry, Projection } from '../../projections/projection.ts';
import {
  type Changes,
  changesOf,
  type Held,
  isEmpty,
  type Moved,
  type Size,
  type Store,
  sizeAt,
  type Turn,
  weightOf,
} from './changes.ts';
import type { CheckpointMover } from './checkpoints.ts';
import { type Generation, journalsOf, type Queryable, schemaOf, tablesOf } from './generation.ts';
import { recentEntries } from './recent-entries.ts';
import { byStatement, skipSql } from './saving.ts';

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
 * `mover`, a live one's checkpoint passes events that change nothing together with others'. `store` is how rows are stored.
 */
export function generationWriter<Parts extends object>(
  projection: Projection<Parts>,
  generation: Generation,
  keepEntries: number,
  mover?: CheckpointMover,
  store: Store<Parts> = byStatement(projection, generation),
): Writer {
  const { name, begins = isFirst } = projection;
  const schema = schemaOf(name, generation.number);
  const tables = tablesOf(projection);
  const journals = journalsOf(projection);
  const recent = recentEntries<Held<Parts>>(keepEntries, keepWeight);
  const skip = {
    name: `skip-${generation.state}-${schema}`,
    text: skipSql(projection, generation),
  };
  const load = { name: `load-${schema}`, text: loadSql(projection, schema) };
  let position = generation.position;
  /** Up to here events have been taken in; above the checkpoint none of them changes anything. */
  let seen = position;

  /** Until it is written, what an event has made of an entry weighs as much as before and the event. */
  const heldAfter = (
    held: Held<Parts>,
    entry: Entry<Parts>,
    { data }: RecordedEvent,
  ): Held<Parts> => {
    if (entry === held.entry) return held;
    const sizes = tables.map(([table], place): Size => {
      const [was, part] = [held.entry[table], entry[table]];
      if (part === was) return sizeAt(held, place);
      if (part === undefined) return { length: 0 };
      const known = was === undefined ? weightOf(held) : sizeAt(held, place).length;
      return { length: known + roughLength(data) };
    });
    return { entry, sizes };
  };

  const remember = (key: string, held: Held<Parts>): void => recent.set(key, held, weightOf(held));

  const heldOf = (row: Record<string, string | null> & { key: string }): Held<Parts> => {
    const entry = Object.fromEntries(
      tables.flatMap(([table, { fromJson }]) => {
        const json = row[table];
        return typeof json === 'string'
          ? [[table, fromJson(JSON.parse(json) as JsonObject, row.key)]]
          : [];
      }),
    ) as Entry<Parts>;
    return { entry, sizes: tables.map(([table]) => ({ length: row[table]?.length ?? 0 })) };
  };

  /** The next keys whose entries these events go on from and that are not in memory. */
  const missingOf = (events: readonly RecordedEvent[], known: ReadonlySet<string>): string[] => {
    const begun = new Set<string>();
    const missing = new Set<string>();
    for (const event of events) {
      const key = projection.keyOf(event);
      if (key === undefined || known.has(key) || recent.has(key)) continue;
      if (begins(event)) begun.add(key);
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
      if (!begins(event) && !recent.has(key)) {
        const missing = missingOf(events.slice(index), known);
        await store.flush(db, missing);
        const { rows } = await db.query<{ key: string } & Record<string, string | null>>({
          ...load,
          values: [missing],
        });
        for (const row of rows) remember(row.key, heldOf(row));
        for (const absent of missing) if (!recent.has(absent)) known.add(absent);
      }
      known.add(key);
      weight += weightOf(recent.get(key) ?? nothing);
      if (weight > stepWeight && index > 0) return index;
    }
    return events.length;
  };

  const hasMoved = async (
    db: Queryable,
    to: bigint,
    changes?: Changes<Parts>,
  ): Promise<boolean> => {
    if (changes !== undefined) return store.save(db, changes);
    if (mover !== undefined) return mover.move(generation.number, position, to);
    return (await db.query({ ...skip, values: [to, position] })).rowCount === 1;
  };

  const moveTo = async (db: Queryable, to: bigint, changes?: Changes<Parts>): Promise<void> => {
    if (!(await hasMoved(db, to, changes))) throw new Fenced(schema, position);
    position = to;
    seen = to;
  };

  const step = async (db: Queryable, events: readonly RecordedEvent[]): Promise<void> => {
    const moved = new Map<string, Moved<Parts>>();
    const turns: Turn<Parts>[] = [];
    for (const event of events) {
      const key = projection.keyOf(event);
      if (key === undefined) continue;
      const move = moved.get(key) ?? moving(recent.get(key) ?? nothing);
      const before = move.after.entry;
      const after = projection.fold(before, event);
      move.after = heldAfter(move.after, after, event);
      moved.set(key, move);
      if (journals.length > 0) turns.push({ before, event, after });
    }
    const to = events.at(-1)?.position ?? position;
    if (moved.size === 0) return moveTo(db, to);
    const changed = tables.map(([table], place) => changesOf(table, place, moved));
    const isSame = journals.length === 0 && changed.every(isEmpty);
    // Their checkpoint is waited for: it goes at once, but needs no statement of its own.
    if (isSame && mover !== undefined) await moveTo(db, to);
    else await moveTo(db, to, { from: position, to, tables: changed, turns });
    for (const [key, { after }] of moved) remember(key, after);
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

const isFirst = ({ revision }: RecordedEvent): boolean => revision === 0;

const nothing = { entry: {}, sizes: [] };

const moving = <Parts>(held: Held<Parts>): Moved<Parts> => ({ before: held, after: held });

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
