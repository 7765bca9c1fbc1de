import type { EventLog } from '../../domain/event-log.ts';
import type { DownloadRecord, Downloads } from '../../projections/downloads/downloads.ts';
import { downloadIdOf, fold } from '../../projections/downloads/fold.ts';

/** The read model of downloads in memory: folded anew from the log at each question, so that it is never behind. */
export const memoryDownloads = (log: Pick<EventLog, 'readAll'>): Downloads => ({
  async page({ viewer, filter, after, upTo, limit }) {
    const { actor, from, image, project, to } = filter;
    const all = await downloadsIn(log);
    const matching = all.filter(
      ({ begunAt, imageId, metadata, owner, position }) =>
        position > after &&
        position <= upTo &&
        (viewer.seesAll || (owner !== null && owner === viewer.projectId)) &&
        (image === undefined || image === imageId) &&
        (project === undefined || project === owner) &&
        (actor === undefined ||
          (metadata.actor.kind === 'user' && metadata.actor.userId === actor)) &&
        (from === undefined || begunAt >= from) &&
        (to === undefined || begunAt <= to),
    );
    const downloads = matching.slice(0, limit);
    const last = matching.length >= limit ? downloads.at(-1)?.position : undefined;
    return { downloads, next: last ?? upTo };
  },
  async silent(forMs) {
    const open = (await downloadsIn(log)).filter(({ ended, lost }) => !ended && !lost);
    return open.filter(({ toldAt }) => toldAt.getTime() < Date.now() - forMs);
  },
});

/** In the order in which they began. */
export async function downloadsIn(
  log: Pick<EventLog, 'readAll'>,
): Promise<readonly DownloadRecord[]> {
  const found = new Map<string, DownloadRecord>();
  for (const event of await log.readAll(0n, Number.MAX_SAFE_INTEGER)) {
    const id = downloadIdOf(event);
    if (id === undefined) continue;
    const { download } = fold({ download: found.get(id) }, event);
    if (download !== undefined) found.set(id, download);
  }
  return [...found.values()];
}
