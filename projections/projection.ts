import type { RecordedEvent } from '../domain/event-log.ts';
import type { JsonObject } from '../domain/json.ts';

/** One table of a read model: a row per key, in the column `id`. */
export interface Table<Part> {
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
  /** By column name. A bigint travels as a string, a time as ISO 8601. */
  toJson(part: Part): JsonObject;
  /** Takes back what `toJson` gave, after Postgres stored it: bigints are numbers then. */
  fromJson(json: JsonObject, key: string): Part;
}

/** What a read model holds for one key: a part per table, absent where the table has no row. */
export type Entry<Parts> = { readonly [Name in keyof Parts]?: Parts[Name] | undefined };

/** How events become the rows of a read model. Pure: the runtime in `infra/read-model` does the rest. */
export interface Projection<Parts extends object> {
  readonly name: string;
  /** Of the tables' shape and the fold's meaning: a read model of another version is built anew. */
  readonly version: number;
  readonly tables: { readonly [Name in keyof Parts]: Table<Parts[Name]> };
  /** The one key whose entry this event can change; undefined when it is none of this read model's business. */
  keyOf(event: RecordedEvent): string | undefined;
  /** A part that does not change stays the same object. */
  fold(entry: Entry<Parts>, event: RecordedEvent): Entry<Parts>;
}
