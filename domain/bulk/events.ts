import type { Caller } from '../image/access.ts';
import type { Attributes } from '../image/attributes.ts';

export const priorities = ['low', 'normal', 'high'] as const;
/** Which import goes first where not all can go at once. */
export type Priority = (typeof priorities)[number];

/** Where the bytes of an item are to come from. */
export type BulkSource =
  /** A worker fetches them. */
  | { readonly kind: 'url'; readonly uri: string }
  /** Whoever asked uploads them, once the image is there; `label` is what they are to it, for example a path. */
  | { readonly kind: 'client'; readonly label: string };

/** What an item's bytes must be, as far as that is known. */
export interface BulkExpectation {
  /** Hex, lower case, by algorithm. */
  readonly digests: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly size: number | null;
  /** URL of a list of checksums, in which the file's name is looked up. */
  readonly sums: string | null;
}

/** One image of a manifest, checked and complete. */
export interface BulkItem {
  readonly imageId: string;
  /** The manifest named the id: another will not do. */
  readonly isIdGiven: boolean;
  readonly attributes: Attributes;
  /** Fields of `attributes` that the manifest names: of an image that is there, the others stay as they are. */
  readonly named: readonly (keyof Attributes)[];
  readonly source: BulkSource;
  readonly expected: BulkExpectation | null;
  readonly stores: readonly string[];
  readonly allStoresMustSucceed: boolean;
  /** Projects that it is shared with. */
  readonly members: readonly string[];
}

export const outcomes = ['done', 'skipped', 'updated', 'failed', 'cancelled'] as const;
/** `skipped`: it was there already; `updated`: it was, and what is said of it was not. */
export type Outcome = (typeof outcomes)[number];

/** What became of one item. */
export interface Settled {
  /** Its place in the manifest, from 0. */
  readonly item: number;
  readonly name: string | null;
  /** Null where it never came to an image. */
  readonly imageId: string | null;
  readonly outcome: Outcome;
  /** Of a failure: a word for programs. */
  readonly reason: string | null;
  /** Of a failure, for people. */
  readonly message: string | null;
  /** Of the image's content. */
  readonly bytes: number | null;
  /** When work on it began, ISO 8601. */
  readonly startedAt: string | null;
}

export type Counts = Readonly<Record<Outcome, number>>;

type Fact<Type extends string, Data> = { readonly type: Type; readonly data: Readonly<Data> };

/**
 * What can happen to a bulk import, in its stream `import-{uuid}`: the request, its items in parts of bounded size, then one
 * fact per item that is over and few others. An item that is in work leaves no fact here but in its image's stream.
 */
export type BulkEvent =
  | Fact<
      'BulkImportRequested',
      {
        /** Whose it is. */
        project: string;
        /** In whose name, and by whose rights, everything is done. */
        authority: Caller;
        /** What its owner calls it. */
        name: string | null;
        priority: Priority;
        /** How many items there are. */
        items: number;
        /** SHA-256 of the items, hex. */
        digest: string;
      }
    >
  /** Some items, from the one at place `first` on. All are listed before any is begun. */
  | Fact<'BulkItemsListed', { first: number; items: readonly BulkItem[] }>
  /** Its items were not all listed: whoever asked was told of no success. */
  | Fact<'BulkImportAbandoned', Record<never, never>>
  | Fact<'BulkImportPaused', Record<never, never>>
  | Fact<'BulkImportResumed', Record<never, never>>
  | Fact<'BulkImportReprioritized', { from: Priority; to: Priority }>
  /** Nothing new is begun, and what was begun is undone where it has not come to an image with bytes. */
  | Fact<'BulkImportCancelled', Record<never, never>>
  /** The `items` that failed are to be tried again. */
  | Fact<'BulkImportRetried', { items: number }>
  /** `attempt` is 1 until the import is retried. */
  | Fact<'BulkItemSettled', Settled & { attempt: number }>
  /** All items are settled; those that were never begun before it was cancelled are counted as cancelled. */
  | Fact<'BulkImportCompleted', Counts & { bytes: number }>;

export type BulkEventType = BulkEvent['type'];

export const bulkPrefix = 'import-';
export const bulkStream = (importId: string): string => `${bulkPrefix}${importId}`;
