/** One fact that an endpoint is to be told. */
export interface Due {
  readonly position: bigint;
  /** Facts of one subject are told in order. */
  readonly subject: string;
}

/** A fact that was refused, or did not get through. Times are milliseconds since 1970. */
export interface Failing {
  readonly position: bigint;
  readonly attempts: number;
  readonly since: number;
  readonly dueAt: number;
}

/**
 * How far an endpoint was told, as it is kept: every fact up to `cursor` has been delivered, and above it those of
 * `ahead`. All of it may be lost or old: then more is delivered again, and nothing is left out.
 */
export interface Saved {
  readonly cursor: bigint;
  readonly ahead: readonly bigint[];
  readonly failing: readonly Failing[];
  /** Attempts that failed since the last one that did not. */
  readonly refusals: number;
}

/**
 * The facts that are looked after at one time, a window that moves along the log:
 *
 *     delivered         | waiting, delivered ahead, waiting …  | not read yet
 *                    cursor                                 scanned
 *
 * A fact waits for the earlier ones of its image, never for those of others, until the window is full: so one that its
 * endpoint refuses for ever holds up its image at once, and everything after as many facts as the window has. An endpoint
 * that refuses five times running is asked with its oldest fact only, until that gets through.
 */
export interface Progress<Fact extends Due> {
  readonly scanned: bigint;
  /** In order. */
  readonly waiting: readonly Fact[];
  readonly ahead: ReadonlySet<bigint>;
  readonly failing: ReadonlyMap<bigint, Failing>;
  readonly refusals: number;
}

const refusalsWhenDown = 5;

export const startingAt = (cursor: bigint): Saved => ({
  cursor,
  ahead: [],
  failing: [],
  refusals: 0,
});

export const resumed = <Fact extends Due>(saved: Saved): Progress<Fact> => ({
  scanned: saved.cursor,
  waiting: [],
  ahead: new Set(saved.ahead.filter((position) => position > saved.cursor)),
  failing: new Map(saved.failing.map((one) => [one.position, one])),
  refusals: saved.refusals,
});

const cursorOf = ({ waiting, scanned }: Progress<Due>): bigint => {
  const [first] = waiting;
  return first === undefined ? scanned : first.position - 1n;
};

export const savedOf = (progress: Progress<Due>): Saved => ({
  cursor: cursorOf(progress),
  ahead: [...progress.ahead],
  failing: [...progress.failing.values()],
  refusals: progress.refusals,
});

/** How many more facts may be read. At least one while nothing waits. */
export const roomIn = ({ waiting, ahead }: Progress<Due>, window: number): number =>
  window - waiting.length - ahead.size;

/** The next facts, in order, all that there are above `scanned` and up to `next`. */
export function taken<Fact extends Due>(
  progress: Progress<Fact>,
  facts: readonly Fact[],
  next: bigint,
): Progress<Fact> {
  const fresh = facts.filter(
    ({ position }) => position > progress.scanned && !progress.ahead.has(position),
  );
  const scanned = next > progress.scanned ? next : progress.scanned;
  return trimmed({ ...progress, scanned, waiting: [...progress.waiting, ...fresh] });
}

export function delivered<Fact extends Due>(
  progress: Progress<Fact>,
  position: bigint,
): Progress<Fact> {
  const index = progress.waiting.findIndex((fact) => fact.position === position);
  const waiting = index < 0 ? progress.waiting : progress.waiting.toSpliced(index, 1);
  const failing = new Map(progress.failing);
  failing.delete(position);
  // It is there again: what else waits need not wait longer.
  if (isDown(progress))
    for (const [key, one] of failing) failing.set(key, { ...one, dueAt: one.since });
  const ahead = new Set(progress.ahead).add(position);
  return trimmed({ ...progress, waiting, ahead, failing, refusals: 0 });
}

export function failed<Fact extends Due>(
  progress: Progress<Fact>,
  position: bigint,
  now: number,
  delayMs: number,
): Progress<Fact> {
  const before = progress.failing.get(position);
  const failing = new Map(progress.failing).set(position, {
    position,
    attempts: attemptsAt(progress, position) + 1,
    since: before?.since ?? now,
    dueAt: now + delayMs,
  });
  return { ...progress, failing, refusals: progress.refusals + 1 };
}

export const attemptsAt = ({ failing }: Progress<Due>, position: bigint): number =>
  failing.get(position)?.attempts ?? 0;

const isDown = ({ refusals }: Progress<Due>): boolean => refusals >= refusalsWhenDown;

/** What may be sent now, the oldest first, `most` at most. */
export function startable<Fact extends Due>(
  progress: Progress<Fact>,
  inFlight: ReadonlySet<bigint>,
  now: number,
  most = Number.POSITIVE_INFINITY,
): readonly Fact[] {
  const found: Fact[] = [];
  for (const fact of heads(progress)) {
    if (found.length >= most) break;
    const dueAt = progress.failing.get(fact.position)?.dueAt ?? now;
    if (dueAt <= now && !inFlight.has(fact.position)) found.push(fact);
  }
  return found;
}

/** When something may be sent that may not be yet; undefined when no time brings that. */
export function nextDueAt(progress: Progress<Due>, now: number): number | undefined {
  if (progress.failing.size === 0) return undefined;
  const times = [...heads(progress)]
    .map(({ position }) => progress.failing.get(position)?.dueAt ?? now)
    .filter((dueAt) => dueAt > now);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The oldest fact of each subject; of one that is down, the oldest of all. */
function* heads<Fact extends Due>(progress: Progress<Fact>): Generator<Fact> {
  const seen = new Set<string>();
  for (const fact of progress.waiting) {
    if (seen.has(fact.subject)) continue;
    yield fact;
    if (isDown(progress)) return;
    seen.add(fact.subject);
  }
}

/** Forgets what lies below the cursor. */
function trimmed<Fact extends Due>(progress: Progress<Fact>): Progress<Fact> {
  const cursor = cursorOf(progress);
  const ahead = new Set([...progress.ahead].filter((position) => position > cursor));
  const failing = new Map([...progress.failing].filter(([position]) => position > cursor));
  return { ...progress, ahead, failing };
}
