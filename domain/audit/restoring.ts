/**
 * That a log was brought back from a backup, in a stream of its own (`restore-{uuid}`): the last that is the same as in the
 * log of which the backup was made is the event at `position`, and what that one had after it did not happen here.
 */
export interface LogRestored {
  readonly type: 'LogRestored';
  readonly data: {
    /** When the backup was made, ISO 8601. */
    readonly takenAt: string;
    readonly events: number;
    readonly position: string;
    /** Of the Merkle tree over them, in base64. */
    readonly root: string;
  };
}

export const restoreStream = (id: string): string => `restore-${id}`;

const billion = 1_000_000_000n;

/**
 * Where the restored log goes on. The log that was lost had given positions after the backup, to subscribers that pass over
 * what is not above the last one they saw: what happens from now on comes above all of those.
 */
export const resumedAt = (position: bigint): bigint => (position / billion + 2n) * billion;
