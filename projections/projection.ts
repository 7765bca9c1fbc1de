import type { RecordedEvent } from '../domain/event-log.ts';
import type { JsonObject } from '../domain/json.ts';

/** The shape of one table of a read model; each has a key beside these columns, `id`. */
export interface TableShape {
  /** SQL type by column, the key excepted. Every text is compared by code point. */
  readonly columns: Readonly<Record<string, string>>;
  /** Storage parameters, such as `fillfactor = 80`. */
  readonly storage: string;
  /**
   * How many different values the planner shall take a column to have, where what it would find out misleads the one
   * plan that a named statement has for all values: few, so that one plan is made for the most common value.
   */
  readonly distinct: Readonly<Record<string, number>>;
  /**
   * Most bytes of each text that an index holds, as much as an index can hold. A row with a longer one is refused as it
   * is written, so that it alone is missing, and never the index over all rows.
   */
  readonly longest: Readonly<Record<string, number>>;
  /** Index by name: what follows the table's name in `create index`. */
  readonly indexes: Readonly<Record<string, string>>;
}

/** One table of a read model: a row per key. */
export interface Table<Part> extends TableShape {
  /** By column name. A bigint travels as a string, a time as ISO 8601. */
  toJson(part: Part): JsonObject;
  /** Takes back what `toJson` gave, after Postgres stored it: bigints are numbers then. */
  fromJson(json: JsonObject, key: string): Part;
}

/** What a read model holds for one key: a part per table, absent where the table has no row. */
export type Entry<Parts> = { readonly [Name in keyof Parts]?: Parts[Name] | undefined };

/** A table that only grows: rows that events leave behind for good, beside what they change. */
export interface Journal<Parts> extends TableShape {
  /**
   * What an event adds, by column name, `id` among them. `entry` is its key's as it was before the event, `after` what
   * `fold` made of it.
   */
  rows(entry: Entry<Parts>, event: RecordedEvent, after: Entry<Parts>): readonly JsonObject[];
}

/** How events become the rows of a read model. Pure: the runtime in `infra/read-model` does the rest. */
export interface Projection<Parts extends object> {
  readonly name: string;
  /** Of the tables' shape and the fold's meaning: a read model of another version is built anew. */
  readonly version: number;
  readonly tables: { readonly [Name in keyof Parts]: Table<Parts[Name]> };
  /** By name, which no table has too. */
  readonly journals?: Readonly<Record<string, Journal<Parts>>>;
  /** The one key whose entry this event can change; undefined when it is none of this read model's business. */
  keyOf(event: RecordedEvent): string | undefined;
  /** Whether nothing can be there of an event's key before it; default: it is the first of its stream. */
  begins?(event: RecordedEvent): boolean;
  /** A part that does not change stays the same object. */
  fold(entry: Entry<Parts>, event: RecordedEvent): Entry<Parts>;
}
