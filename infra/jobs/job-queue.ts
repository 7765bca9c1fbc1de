/** One staged upload to finish, as seen when the job was issued. */
export interface IngestJob {
  readonly imageId: string;
  readonly uploadId: string;
  /** The epoch to supersede; 0 for the first claim. */
  readonly supersedes: number;
}

/** Whether somebody waits for the answer: jobs for whom nobody does come after all others. */
export type Urgency = 'awaited' | 'background';

/** How far the work on a job is: `claimed`, then the newest thing that the log took of it. */
export type Progress = string;

export interface ActiveJob {
  readonly job: IngestJob;
  readonly progress: Progress | null;
  readonly since: Date;
}

/** A job that was tried in vain for the last time. The work itself is not over: the log says when it is. */
export interface DeadJob {
  readonly job: IngestJob;
  readonly reason: string;
  readonly attempts: number;
  readonly at: Date;
}

/** The queue as an operator looks at it; the newest of the dead, and how many there are. */
export interface QueueState {
  readonly waiting: number;
  /** Between two attempts. */
  readonly delayed: number;
  readonly active: readonly ActiveJob[];
  readonly dead: readonly DeadJob[];
  readonly deadCount: number;
}

/** Thrown by a handler: to try this job again is of no use. */
export class Hopeless extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Hopeless';
  }
}

/**
 * Where work waits for a worker with a free slot. Nothing is remembered here: jobs may be lost, repeated and late at any
 * time, claims in the log keep work from being done twice, and the reconciler issues again what is missing.
 */
export interface JobQueue {
  /** Puts a job into the queue, under an id of its own. Rejects when the queue cannot be reached, or does not answer. */
  issue(job: IngestJob, urgency?: Urgency): Promise<void>;
  /** Ids of the uploads that have a job waiting, its next attempt included; null when there are too many to tell. */
  waiting(): Promise<ReadonlySet<string> | null>;
  /** How many jobs wait. */
  depth(): Promise<number>;
  state(): Promise<QueueState>;
  /**
   * Handles jobs, `slots` at once, until closed. One whose handler rejects is tried again twice, after pauses that grow,
   * and is dead then; at once with `Hopeless`. Handlers log their failures themselves.
   */
  work(slots: number, handle: HandleJob): JobWorker;
  close(): Promise<void>;
}

export type HandleJob = (job: IngestJob, tell: (progress: Progress) => void) => Promise<void>;

export interface JobWorker {
  /** Takes no more jobs, and resolves when those in hand are over. */
  close(): Promise<void>;
}

export const attemptsPerJob = 3;
export const firstBackoffMs = 500;
