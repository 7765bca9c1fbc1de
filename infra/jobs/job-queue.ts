/** One staged upload to finish, as seen when the job was issued. */
export interface IngestJob {
  readonly imageId: string;
  readonly uploadId: string;
  /** The epoch to supersede; 0 for the first claim. */
  readonly supersedes: number;
}

/**
 * Where work waits for a worker with a free slot. Nothing is remembered here: jobs may be lost, repeated and late at any
 * time, claims in the log keep work from being done twice, and the reconciler issues again what is missing.
 */
export interface JobQueue {
  /** Puts a job into the queue, under an id of its own. Rejects when the queue cannot be reached. */
  issue(job: IngestJob): Promise<void>;
  /** Ids of the uploads that have a job waiting, or null when there are too many to tell. */
  waiting(): Promise<ReadonlySet<string> | null>;
  /** How many jobs wait. */
  depth(): Promise<number>;
  /** Handles jobs, `slots` at once, until closed. A handler that rejects is logged, and its job is over. */
  work(slots: number, handle: (job: IngestJob) => Promise<void>): JobWorker;
  close(): Promise<void>;
}

export interface JobWorker {
  /** Takes no more jobs, and resolves when those in hand are over. */
  close(): Promise<void>;
}
