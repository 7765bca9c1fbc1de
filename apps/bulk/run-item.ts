import { setTimeout as delay } from 'node:timers/promises';
import { v5 } from 'uuid';
import type { BulkItem, Settled } from '../../domain/bulk/events.ts';
import { type Changes, isNothing, planFor } from '../../domain/bulk/plan.ts';
import { Refused } from '../../domain/refused.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Call } from '../gateway/call.ts';
import { HttpError } from '../gateway/http-error.ts';
import type { ImageWork } from './image-work.ts';
import type { End, Watch } from './watch.ts';

/** An item that is in work. */
export interface Task {
  readonly importId: string;
  readonly place: number;
  readonly item: BulkItem;
  readonly call: Call;
}

export interface ItemPorts {
  readonly work: ImageWork;
  readonly watch: (imageId: string) => Watch;
  /** An image with bytes of the same owner and name whose digests are those that the item names; undefined where none is known. */
  equalTo(item: BulkItem): Promise<string | undefined>;
  readonly logger: Logger;
  /** How long bytes are waited for that whoever asked is to upload. */
  readonly uploadPatienceMs: number;
}

/** Why work on an item is broken off: the import is cancelled. Any other reason means that somebody else goes on with it. */
export class ImportCancelled extends Error {}

type Result = Omit<Settled, 'item' | 'name' | 'startedAt'>;

const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** A failure that nobody foresaw is tried so often. */
const mostTries = 8;

/**
 * Brings an item to its end, whatever was done of it before: its image's stream is all that it goes by, so that it may be
 * begun again at any time by anybody. Rejects when it is broken off.
 */
export async function runItem(task: Task, ports: ItemPorts, signal: AbortSignal): Promise<Settled> {
  const { place, item } = task;
  const startedAt = new Date().toISOString();
  const settled = (result: Result): Settled => ({
    item: place,
    name: item.attributes.name,
    startedAt,
    ...result,
  });
  for (let tries = 1, pauseMs = firstPauseMs; ; tries += 1) {
    try {
      signal.throwIfAborted();
      return settled(await attempt(task, item.imageId, ports, signal));
    } catch (error) {
      if (signal.reason instanceof ImportCancelled) return settled(await undone(task, ports));
      signal.throwIfAborted();
      if (error instanceof Refused) return settled(failed(item.imageId, error.code, error.message));
      if (error instanceof HttpError && error.status < 500)
        return settled(failed(item.imageId, 'refused', error.message));
      ports.logger.warn(
        { err: error, importId: task.importId, item: place },
        'trying an item again',
      );
      if (tries >= mostTries && !isPassing(error))
        return settled(failed(item.imageId, 'internal-error', 'Something unforeseen went wrong.'));
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    }
  }
}

const failed = (imageId: string | null, reason: string, message: string): Result => ({
  imageId,
  outcome: 'failed',
  reason,
  message,
  bytes: null,
});

/** The log, a database or a service is away, which ends. */
const isPassing = (error: unknown): boolean =>
  error instanceof HttpError ||
  (error instanceof Error && /Unavailable|Unknown|NotYetVisible|RevisionConflict/.test(error.name));

async function attempt(
  task: Task,
  imageId: string,
  ports: ItemPorts,
  signal: AbortSignal,
): Promise<Result> {
  const { work } = ports;
  const { item, call, importId } = task;
  const equal = await ports.equalTo(item);
  if (equal !== undefined && equal !== imageId)
    return kept(task, equal, await changesNow(task, equal, ports), false, ports);
  const watch = ports.watch(imageId);
  try {
    const begun = await createdOr(task, imageId, ports);
    if (begun !== 'is there')
      return await finished(task, imageId, begun.uploadId, watch, ports, signal);
    const { state, madeBy } = await work.look(imageId);
    const isOurs = madeBy === importId;
    const plan = planFor(item, state);
    switch (plan.kind) {
      case 'create':
        throw new Error(`image ${imageId} is there, and is not`);
      case 'elsewhere':
        return await attempt(task, otherId(task, imageId), ports, signal);
      case 'refuse':
        return failed(imageId, plan.reason, plan.message);
      case 'keep':
        return await kept(task, imageId, plan.changes, isOurs, ports);
      case 'fill': {
        await changed(task, imageId, plan.changes, ports);
        const uploadId = await work.fill(call, imageId, item);
        return await finished(task, imageId, uploadId, watch, ports, signal);
      }
      case 'wait': {
        // Of an upload by whoever asked, the next one may do what this one does not.
        const uploadId = item.source.kind === 'client' ? null : plan.uploadId;
        const result = await finished(task, imageId, uploadId, watch, ports, signal);
        return isOurs || result.outcome !== 'done'
          ? result
          : await kept(task, imageId, await changesNow(task, imageId, ports), false, ports);
      }
    }
  } finally {
    watch.close();
  }
}

/** Most are new, and trying costs less than looking first. */
async function createdOr({ item, call }: Task, imageId: string, { work }: ItemPorts) {
  try {
    return { uploadId: await work.create(call, imageId, item) };
  } catch (error) {
    if (error instanceof Refused && error.code === 'image-exists') return 'is there';
    throw error;
  }
}

async function finished(
  task: Task,
  imageId: string,
  uploadId: string | null,
  watch: Watch,
  { uploadPatienceMs, work }: ItemPorts,
  signal: AbortSignal,
): Promise<Result> {
  const isUploaded = task.item.source.kind === 'client';
  const patience = isUploaded ? AbortSignal.timeout(uploadPatienceMs) : undefined;
  let end: End;
  try {
    end = await watch.end(uploadId, patience ? AbortSignal.any([signal, patience]) : signal);
  } catch (error) {
    if (patience?.aborted && !signal.aborted)
      return failed(imageId, 'no-bytes', 'Nobody uploaded its bytes.');
    throw error;
  }
  if (end.kind === 'failed') return failed(imageId, end.reason, end.message);
  const wrong = isUploaded ? mismatchOf(task.item, end) : undefined;
  if (wrong !== undefined) {
    await work.remove(task.call, imageId);
    return failed(imageId, 'digest-mismatch', wrong);
  }
  return { imageId, outcome: 'done', reason: null, message: null, bytes: end.bytes };
}

/** What a worker fetches is compared as it is fetched. */
function mismatchOf({ expected }: BulkItem, end: End & { readonly kind: 'filled' }) {
  for (const [algorithm, value] of Object.entries(expected?.digests ?? {})) {
    const found = end.digests[algorithm];
    if (found !== undefined && found !== value)
      return `The bytes that were uploaded are others: their ${algorithm} is ${found}.`;
  }
  return undefined;
}

async function kept(
  task: Task,
  imageId: string,
  changes: Changes,
  isOurs: boolean,
  ports: ItemPorts,
): Promise<Result> {
  await changed(task, imageId, changes, ports);
  const { state } = await ports.work.look(imageId);
  const bytes = 'content' in state ? state.content.size : null;
  const outcome = isOurs ? 'done' : isNothing(changes) ? 'skipped' : 'updated';
  return { imageId, outcome, reason: null, message: null, bytes };
}

const changed = async (
  { call }: Task,
  imageId: string,
  changes: Changes,
  { work }: ItemPorts,
): Promise<void> => {
  if (!isNothing(changes)) await work.change(call, imageId, changes);
};

async function changesNow({ item }: Task, imageId: string, { work }: ItemPorts): Promise<Changes> {
  const plan = planFor(item, (await work.look(imageId)).state);
  return plan.kind === 'keep' ? plan.changes : { operations: [], members: [] };
}

/** The next id that nobody can have foreseen. */
const otherId = ({ importId, place }: Task, imageId: string): string =>
  v5(`${place}/${imageId}`, importId);

/** What this import made goes, unless it has its bytes. */
async function undone(task: Task, { work, logger }: ItemPorts): Promise<Result> {
  const { item, call, importId, place } = task;
  const cancelled = { outcome: 'cancelled', reason: null, message: null, bytes: null } as const;
  for (let imageId = item.imageId; ; imageId = otherId(task, imageId))
    try {
      const { state, madeBy } = await work.look(imageId);
      if (state.status === 'absent') return { ...cancelled, imageId: null };
      if (madeBy !== importId && planFor(item, state).kind === 'elsewhere') continue;
      if (madeBy !== importId) return { ...cancelled, imageId };
      if ('content' in state)
        return { ...cancelled, outcome: 'done', imageId, bytes: state.content.size };
      if (state.status !== 'deleted') await work.remove(call, imageId);
      return { ...cancelled, imageId: null };
    } catch (error) {
      logger.warn({ err: error, importId, item: place }, 'what was cancelled is not undone');
      return { ...cancelled, imageId };
    }
}
