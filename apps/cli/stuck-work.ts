import type { Work } from '../../projections/images/record.ts';

/** Something that should go on by itself, and does not. */
export interface Stuck {
  readonly imageId: string;
  readonly what: Work['kind'];
  readonly since: Date;
  readonly why: string;
}

/** What there is to judge by. */
export interface Standing {
  readonly now: Date;
  readonly work: readonly Work[];
  /** Seconds since each process was last heard of. */
  readonly beats: ReadonlyMap<string, number>;
  /** Uploads that have a job waiting. */
  readonly waiting: ReadonlySet<string>;
  /** When a fetch last told how far it is, by upload. */
  readonly fetches: ReadonlyMap<string, Date>;
  /** Deleted images that a legal hold keeps beyond their time. */
  readonly held?: ReadonlySet<string>;
  readonly stagingTimeoutSeconds: number;
  readonly patienceSeconds: number;
}

/** An owner that died is to be noticed, and its work taken over, well within this. */
const takeOverSeconds = 30;
/** So long may what is due wait for the one who does it. */
const dueSeconds = 120;

/** Every piece of work that rests without a living owner, or beyond its time. */
export function stuckWork(standing: Standing): readonly Stuck[] {
  return standing.work.flatMap((work) => {
    const why = whyStuck(work, standing);
    const { imageId, kind: what, since } = work;
    return why === undefined ? [] : [{ imageId, what, since, why }];
  });
}

function whyStuck(work: Work, standing: Standing): string | undefined {
  const { now, beats, waiting, fetches } = standing;
  const { kind, owner, since, due } = work;
  const seconds = (from: Date): number => (now.getTime() - from.getTime()) / 1000;
  switch (kind) {
    case 'scrub':
      return seconds(due ?? since) > dueSeconds && standing.held?.has(work.imageId) !== true
        ? 'its time is over, and nobody removes it'
        : undefined;
    case 'remove':
      return seconds(since) > dueSeconds ? 'its bytes are not removed' : undefined;
    case 'stage':
      return seconds(since) > standing.stagingTimeoutSeconds + dueSeconds
        ? 'nobody asked for its import in time, and nobody gives it up'
        : undefined;
    case 'receive':
    case 'ingest': {
      const uploadId = work.uploadId ?? '';
      if (owner === null) {
        if (waiting.has(uploadId) && beats.size > 0) return undefined;
        return seconds(since) > takeOverSeconds ? 'no worker takes it' : undefined;
      }
      const silence = beats.get(owner) ?? Number.POSITIVE_INFINITY;
      if (silence > takeOverSeconds && seconds(since) > takeOverSeconds)
        return `its owner ${owner} is dead, and nobody takes it over`;
      const told = fetches.get(uploadId);
      const limit = standing.patienceSeconds + dueSeconds;
      return told !== undefined && seconds(told) > limit
        ? `its download tells of nothing for ${Math.round(seconds(told))} s`
        : undefined;
    }
  }
}
