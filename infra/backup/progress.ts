/** How far a backup or a restore is. */
export type BackupProgress =
  | {
      readonly what: 'events';
      readonly done: number;
      readonly position: bigint;
      readonly upTo: bigint;
    }
  | { readonly what: 'objects'; readonly done: number; readonly of: number };
