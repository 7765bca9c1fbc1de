import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Entry } from '../../projections/projection.ts';
import type { Queryable } from './generation.ts';

/** An event, and the entry of its key before and after it. */
export interface Turn<Parts> {
  readonly before: Entry<Parts>;
  readonly event: RecordedEvent;
  readonly after: Entry<Parts>;
}

/** What becomes of one table. */
export interface TableChanges<Part> {
  /** `isNew`: the table has no row of this key. */
  readonly put: readonly { readonly key: string; readonly part: Part; readonly isNew: boolean }[];
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
  /** In the order of the log; what journals have of it is made as it is written. */
  readonly turns: readonly Turn<Parts>[];
  /** About how long a part's row is as text … */
  readonly weightOf: (part: object) => number;
  /** … and to be told how long it is, once that is known. */
  readonly weigh: (part: object, length: number) => void;
}

/** How changes come to be rows of a generation. */
export interface Store<Parts> {
  /** In one transaction. False, and nothing is stored, when the generation is not at `from` or not ours. */
  save(db: Queryable, changes: Changes<Parts>): Promise<boolean>;
  /** Stores what `save` has put off, if it does such a thing: rows are to be read. */
  flush(db: Queryable): Promise<void>;
}

export function changesOf<Parts, Name extends keyof Parts>(
  table: Name,
  stored: ReadonlyMap<string, Entry<Parts>>,
  latest: ReadonlyMap<string, Entry<Parts>>,
): TableChanges<Parts[Name]> {
  const put: { key: string; part: Parts[Name]; isNew: boolean }[] = [];
  const gone: string[] = [];
  for (const [key, entry] of latest) {
    const before = stored.get(key)?.[table];
    const part = entry[table];
    if (part === before) continue;
    if (part === undefined) gone.push(key);
    else put.push({ key, part, isNew: before === undefined });
  }
  return { put, gone };
}

export const isEmpty = ({ put, gone }: TableChanges<unknown>): boolean =>
  put.length === 0 && gone.length === 0;
