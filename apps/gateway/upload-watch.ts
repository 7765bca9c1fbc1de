import type { RecordedEvent } from '../../domain/event-log.ts';
import type { AbortReason, ImageEvent, IngestFailure } from '../../domain/image/events.ts';
import { imageStream } from './commands.ts';
import type { LogTail } from './log-tail.ts';

/** How an upload ended, by the log. Wait for `position` before answering. */
export type UploadEnd = { readonly position: bigint } & (
  | { readonly kind: 'active' | 'deleted' }
  | { readonly kind: 'failed'; readonly reason: IngestFailure; readonly message: string }
  | { readonly kind: 'aborted'; readonly reason: AbortReason; readonly message: string }
);

export interface UploadWatch {
  readonly ended: Promise<UploadEnd>;
  /** The worker that has claimed it, null while none has. */
  worker(): string | null;
  stop(): void;
}

/** Watches the log for what becomes of one upload. Begun before the upload is in the log, it misses nothing. */
export function watchUpload(tail: LogTail, imageId: string, uploadId: string): UploadWatch {
  let worker: string | null = null;
  let settle: (end: UploadEnd) => void = () => {};
  const ended = new Promise<UploadEnd>((resolve) => {
    settle = resolve;
  });
  const stop = tail.listen(imageStream(imageId), (recorded) => {
    const end = endBy(recorded, uploadId);
    if (end) settle(end);
    const event = recorded as unknown as ImageEvent;
    if (event.type === 'IngestClaimed') worker = event.data.owner;
    if (event.type === 'IngestReleased') worker = null;
  });
  return { ended, worker: () => worker, stop };
}

function endBy(recorded: RecordedEvent, uploadId: string): UploadEnd | undefined {
  const event = recorded as unknown as ImageEvent;
  const { position } = recorded;
  if (event.type === 'ImageDeleted') return { kind: 'deleted', position };
  if (!('uploadId' in event.data) || event.data.uploadId !== uploadId) return undefined;
  switch (event.type) {
    case 'ImageActivated':
      return { kind: 'active', position };
    case 'IngestFailed':
      return { kind: 'failed', ...event.data, position };
    case 'UploadAborted':
      return { kind: 'aborted', ...event.data, position };
    default:
      return undefined;
  }
}

export interface Patience {
  /** How long work may rest without a living owner. */
  readonly unownedMs: number;
  readonly lookEveryMs: number;
}

/** Waits for the end; undefined when nobody living has had the work in hand for too long, or `signal` aborted. */
export async function untilEnded(
  { ended, worker }: UploadWatch,
  isDead: (owner: string) => boolean,
  { lookEveryMs, unownedMs }: Patience,
  signal: AbortSignal,
): Promise<UploadEnd | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let giveUp = (): void => {};
  const unowned = new Promise<undefined>((resolve) => {
    let ownedAt = performance.now();
    giveUp = () => resolve(undefined);
    timer = setInterval(() => {
      const owner = worker();
      const now = performance.now();
      if (owner !== null && !isDead(owner)) ownedAt = now;
      else if (now - ownedAt >= unownedMs) giveUp();
    }, lookEveryMs);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([ended, unowned]);
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
