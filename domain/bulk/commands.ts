import type { Caller, Rule } from '../image/access.ts';
import type { BulkItem, Priority, Settled } from './events.ts';

type Ask<Type extends string, Data = unknown> = {
  readonly type: Type;
  readonly caller: Caller;
} & Readonly<Data>;

/** What a caller may ask. */
export type BulkCallerCommand =
  | Ask<
      'RequestBulkImport',
      { project: string; name: string | null; priority: Priority; items: number; digest: string }
    >
  | Ask<'PauseBulkImport'>
  | Ask<'ResumeBulkImport'>
  | Ask<'CancelBulkImport'>
  | Ask<'RetryBulkImport'>
  | Ask<'ReprioritizeBulkImport', { priority: Priority }>;

/** What the system does about it. */
export type BulkSystemCommand =
  | { readonly type: 'ListBulkItems'; readonly first: number; readonly items: readonly BulkItem[] }
  | { readonly type: 'AbandonBulkImport' }
  /** The import is over with them where nothing else is left; `last` says that nothing is, of one that is cancelled. */
  | {
      readonly type: 'SettleBulkItems';
      readonly settled: readonly Settled[];
      readonly last: boolean;
    };

export type BulkCommand = BulkCallerCommand | BulkSystemCommand;

/** The rule that each is allowed by. */
export const ruleOfBulk = {
  RequestBulkImport: 'add_bulk_import',
  PauseBulkImport: 'modify_bulk_import',
  ResumeBulkImport: 'modify_bulk_import',
  CancelBulkImport: 'modify_bulk_import',
  RetryBulkImport: 'modify_bulk_import',
  ReprioritizeBulkImport: 'modify_bulk_import',
} as const satisfies Record<BulkCallerCommand['type'], Rule>;
