import type { EventLog } from '../../domain/event-log.ts';
import { isThere } from '../../domain/image/state.ts';
import type { IngestJob } from '../../infra/jobs/job-queue.ts';
import type { Work } from '../../projections/images/record.ts';
import { streamOf } from './context.ts';
import { judgeOf } from './garbage.ts';

/** How many more uploads of each project may be set going now. */
export interface Room {
  /** Whether there is room for this one, which takes it. */
  take(work: Work): Promise<boolean>;
}

/**
 * Lets only so many uploads of a project be in the queue or in work at once, so that one project with many leaves the
 * others their turn. The dispatcher counts what it hears of; what it holds back, or a new dispatcher knows nothing of,
 * the reconcilers set going from what is open, so a count that is wrong for a moment does no harm.
 */
export interface Budgets {
  /** Issues the job now, or when others of its project are over. */
  offer(job: IngestJob, issue: (job: IngestJob) => void): void;
  /** The upload is over, or nobody's any more. */
  over(uploadId: string): void;
  /** The image is deleted. */
  overImage(imageId: string): void;
  /** By everything that is open, and what waits in the queue. */
  roomIn(open: readonly Work[], waiting: ReadonlySet<string>): Room;
}

interface Line {
  readonly project: string;
  /** Images by upload. */
  readonly going: Map<string, string>;
  readonly held: { readonly job: IngestJob; readonly issue: (job: IngestJob) => void }[];
}

const unlimited: Budgets = {
  offer: (job, issue) => issue(job),
  over() {},
  overImage() {},
  roomIn: () => ({ take: async () => true }),
};

/** Owners of images that are remembered, and uploads that the dispatcher holds back: beyond it the reconcilers serve. */
const mostRemembered = 10_000;

/** `limit` 0 is none. An image without an owner is in the budget of all those. */
export function budgets(limit: number, log: Pick<EventLog, 'readStream'>): Budgets {
  if (limit === 0) return unlimited;
  const lines = new Map<string, Line>();
  const projects = new Map<string, string>();
  const lineByUpload = new Map<string, Line>();

  const projectOf = async (imageId: string): Promise<string> => {
    const known = projects.get(imageId);
    if (known !== undefined) return known;
    const { state } = judgeOf(imageId, (await log.readStream(streamOf(imageId))).events);
    const project = (isThere(state) ? state.owner : null) ?? '';
    if (projects.size >= mostRemembered) projects.clear();
    projects.set(imageId, project);
    return project;
  };

  const go = (line: Line, job: IngestJob, issue: (job: IngestJob) => void): void => {
    line.going.set(job.uploadId, job.imageId);
    lineByUpload.set(job.uploadId, line);
    issue(job);
  };

  const over = (uploadId: string): void => {
    const line = lineByUpload.get(uploadId);
    if (line === undefined) return;
    lineByUpload.delete(uploadId);
    line.going.delete(uploadId);
    const next = line.held.shift();
    if (next !== undefined) go(line, next.job, next.issue);
    else if (line.going.size === 0) lines.delete(line.project);
  };

  const put = (project: string, job: IngestJob, issue: (job: IngestJob) => void): void => {
    const line: Line = lines.get(project) ?? { project, going: new Map(), held: [] };
    lines.set(project, line);
    const { uploadId } = job;
    if (line.going.size < limit || line.going.has(uploadId)) go(line, job, issue);
    else if (line.held.length < mostRemembered) line.held.push({ job, issue });
  };

  return {
    offer(job, issue) {
      projectOf(job.imageId).then(
        (project) => put(project, job, issue),
        () => issue(job),
      );
    },
    over,
    overImage(imageId) {
      for (const { going } of [...lines.values()])
        for (const [uploadId, image] of going) if (image === imageId) over(uploadId);
    },
    roomIn(open, waiting) {
      let going: Promise<Map<string, number>> | undefined;
      const count = async (): Promise<Map<string, number>> => {
        const counts = new Map<string, number>();
        for (const { kind, imageId, uploadId, owner } of open)
          if (kind === 'ingest' && (owner !== null || waiting.has(uploadId ?? ''))) {
            const project = await projectOf(imageId);
            counts.set(project, (counts.get(project) ?? 0) + 1);
          }
        return counts;
      };
      return {
        async take({ imageId }) {
          going ??= count();
          const [counts, project] = [await going, await projectOf(imageId)];
          const used = counts.get(project) ?? 0;
          if (used >= limit) return false;
          counts.set(project, used + 1);
          return true;
        },
      };
    },
  };
}
