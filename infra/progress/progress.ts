/**
 * How far the work on an attempt is, as its owner may see it. It lies beside the log, is written about once a second, and
 * losing it harms nobody: what is true of an import the log says.
 */
export interface ImportProgress {
  readonly phase: 'fetching' | 'checking' | 'storing';
  /** Bytes of this phase; of storing, in all stores together. */
  readonly done: number;
  /** Null where nobody knows. */
  readonly total: number | null;
  /** Bytes per second of late. */
  readonly rate: number | null;
  /** Bytes that each store has, of those that are written to. */
  readonly stores: Readonly<Record<string, number>>;
  /** What it waits for; null while it moves. */
  readonly waiting: string | null;
}

/** Where workers tell of progress. */
export interface ProgressBoard {
  /** In the background, and not each time: the newest word counts. */
  tell(uploadId: string, progress: ImportProgress): void;
  /** The attempt is over, or somebody else's. */
  forget(uploadId: string): void;
  /** Resolves when nothing is being written any more. */
  close(): Promise<void>;
}

/** Where it is read. */
export interface ProgressReader {
  /** Of those attempts of which something is known. Rejects when it cannot be asked. */
  find(uploadIds: readonly string[]): Promise<ReadonlyMap<string, ImportProgress>>;
}

/** For processes that tell nobody. */
export const noProgress: ProgressBoard & ProgressReader = {
  tell() {},
  forget() {},
  close: async () => {},
  find: async () => new Map(),
};

/** For tests: kept as it is told. */
export function memoryProgress(): ProgressBoard & ProgressReader {
  const told = new Map<string, ImportProgress>();
  return {
    ...noProgress,
    tell: (uploadId, progress) => void told.set(uploadId, progress),
    forget: (uploadId) => void told.delete(uploadId),
    find: async (uploadIds) => new Map([...told].filter(([id]) => uploadIds.includes(id))),
  };
}
