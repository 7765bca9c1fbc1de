import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Entry } from '../../projections/projection.ts';
import type { Queryable } from './generation.ts';

/** An event, and the entry of its key before and after it. */
export interface Turn<Parts> {
  readonly before: Entry<Parts>;
  readonly event: RecordedEvent;
  readonly after: Entry<Parts>;
}

/** About how long a row is as text, or just how long: whoever writes it out puts that in. */
export interface Size {
  length: number;
}

/** A part that is to be a row. */
export interface Put<Part> {
  readonly key: string;
  readonly part: Part;
  /** The table has no row of this key. */
  readonly isNew: boolean;
  readonly size: Size;
}

/** What becomes of one table. */
export interface TableChanges<Part> {
  readonly put: readonly Put<Part>[];
  /** Keys whose rows go. */
  readonly gone: readonly string[];
}

/** What one step of events does to a generation. */
export interface Changes<Parts> {
  /** The checkpoint before, and after. */
  readonly from: bigint;
  readonly to: bigint;
  /** In the order of the projection's tables. */
  readonly tables: readonly TableChanges<Parts[keyof Parts]>[];
  /** In the order of the log, for journals alone; what they have of it is made as it is written. */
  readonly turns: readonly Turn<Parts>[];
}

/** How changes come to be rows of a generation. */
export interface Store<Parts> {
  /** In one transaction. False, and nothing is stored, when the generation is not at `from` or not ours. */
  save(db: Queryable, changes: Changes<Parts>): Promise<boolean>;
  /** Stores what `save` has put off, if it does such a thing; with `keys`, only where rows of those are among it. */
  flush(db: Queryable, keys?: readonly string[]): Promise<void>;
}

/** An entry, and of each table, in the projection's order, the size of its row. */
export interface Held<Parts> {
  readonly entry: Entry<Parts>;
  readonly sizes: readonly Size[];
}

/** An entry as it is stored, and what has become of it. */
export interface Moved<Parts> {
  readonly before: Held<Parts>;
  after: Held<Parts>;
}

/** Of the table of that name and place among the projection's. */
export function changesOf<Parts, Name extends keyof Parts>(
  table: Name,
  place: number,
  moved: ReadonlyMap<string, Moved<Parts>>,
): TableChanges<Parts[Name]> {
  const put: Put<Parts[Name]>[] = [];
  const gone: string[] = [];
  for (const [key, { before, after }] of moved) {
    const was = before.entry[table];
    const part = after.entry[table];
    if (part === was) continue;
    if (part === undefined) gone.push(key);
    else put.push({ key, part, isNew: was === undefined, size: sizeAt(after, place) });
  }
  return { put, gone };
}

/** Nothing's: never written to. */
const none: Size = Object.freeze({ length: 0 });

export const sizeAt = ({ sizes }: Pick<Held<unknown>, 'sizes'>, place: number): Size =>
  sizes[place] ?? none;

export function weightOf({ sizes }: Pick<Held<unknown>, 'sizes'>): number {
  let weight = 0;
  for (const { length } of sizes) weight += length;
  return weight;
}

export const isEmpty = ({ put, gone }: TableChanges<unknown>): boolean =>
  put.length === 0 && gone.length === 0;
