/** What the process tells one of its digest threads. */
export type ToThread =
  /** Begin to hash a file, as far as it has bytes. */
  | {
      readonly kind: 'start';
      readonly task: number;
      readonly path: string;
      readonly algorithm: string;
    }
  /** The file has this many bytes, and they are all there. */
  | { readonly kind: 'finish'; readonly task: number; readonly size: number }
  | { readonly kind: 'cancel'; readonly task: number };

/** What a digest thread tells. After `done` and `failed` it has forgotten the task. */
export type FromThread =
  | { readonly kind: 'half'; readonly task: number }
  | { readonly kind: 'done'; readonly task: number; readonly hex: string }
  | {
      readonly kind: 'failed';
      readonly task: number;
      readonly code: string | null;
      readonly message: string;
    };
