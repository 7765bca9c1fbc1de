/**
 * What can be wrong: an answer that was not foreseen; an acknowledged effect that is lost; an upload left alone; bytes that
 * nobody names; a rebuilt row that differs; a log that contradicts itself; an integrator who was told wrongly, or not.
 */
export const kinds = ['answer', 'lost', 'stuck', 'orphan', 'differs', 'log', 'told'] as const;

export interface Problem {
  readonly kind: (typeof kinds)[number];
  readonly what: string;
}

export const problemsOf =
  (kind: Problem['kind']) =>
  (what: string): Problem => ({ kind, what });

/** Counts of a campaign, and everything that was wrong. */
export interface Tally {
  /** Answered with success, by kind of request. */
  readonly acknowledged: Record<string, number>;
  /** No connection, or a 503: nothing happened, and the client knows it. */
  unavailable: number;
  /** The connection was lost, or a 5xx that promises nothing. */
  unanswered: number;
  hungUp: number;
  /** Requests that were sent at all. */
  sent: number;
  readonly problems: Problem[];
}

export const tally = (): Tally => ({
  acknowledged: {},
  unavailable: 0,
  unanswered: 0,
  hungUp: 0,
  sent: 0,
  problems: [],
});

export const count = (counts: Record<string, number>, name: string): void => {
  counts[name] = (counts[name] ?? 0) + 1;
};

export const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, one) => sum + one, 0);
