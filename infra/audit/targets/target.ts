/** A place that checkpoints are sent to, out of reach of who may change the log. */
export interface CheckpointTarget {
  /** Shown to operators; no passwords. */
  readonly name: string;
  /** Rejects when it may not have arrived. The same may be sent again. */
  send(checkpoint: { readonly size: number; readonly note: string }): Promise<void>;
  close(): void;
}

/** The newest is always called so; each is kept besides, by its size. */
export const newestName = 'checkpoint';

/** Sizes have as many digits as any will have, so that names are in the order of sizes. */
export const nameOf = (size: number): string => `checkpoints/${String(size).padStart(16, '0')}`;
