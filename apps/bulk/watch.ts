import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { imageStream } from '../gateway/commands.ts';
import type { LogTail } from '../gateway/log-tail.ts';

/** How an attempt to fill an image ended. */
export type End =
  | {
      readonly kind: 'filled';
      readonly bytes: number | null;
      readonly digests: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** What happens to one image from now on. */
export interface Watch {
  /** The end of an attempt; of null, of the one that comes to bytes, or that a worker gives up. */
  end(uploadId: string | null, signal: AbortSignal): Promise<End>;
  close(): void;
}

/** In case the tail lost something: never needed, and cheap. */
const lookEveryMs = 20_000;

/** Hears the facts about an image from here on, so that what is appended afterwards cannot be missed. */
export function watchImage(
  imageId: string,
  { log, tail }: { log: Pick<EventLog, 'readStream'>; tail: Pick<LogTail, 'listen'> },
): Watch {
  const stream = imageStream(imageId);
  let heard: readonly RecordedEvent[] = [];
  let wake = (): void => {};
  const stop = tail.listen(stream, (event) => {
    heard = [...heard, event];
    wake();
  });

  return {
    async end(uploadId, signal) {
      for (;;) {
        signal.throwIfAborted();
        const found = endIn(heard, uploadId);
        if (found !== undefined) return found;
        const news = await new Promise<boolean>((resolve) => {
          const timer = setTimeout(() => resolve(false), lookEveryMs);
          const go = (isNews: boolean) => (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', aborted);
            resolve(isNews);
          };
          const aborted = go(true);
          wake = go(true);
          signal.addEventListener('abort', aborted, { once: true });
        });
        if (!news) heard = (await log.readStream(stream)).events;
      }
    },
    close: stop,
  };
}

/** Undefined while it goes on. */
export function endIn(
  recorded: readonly RecordedEvent[],
  uploadId: string | null,
): End | undefined {
  let isActive = false;
  let bytes: number | null = null;
  let digests: Readonly<Record<string, string>> = {};
  const filled = (): End => ({ kind: 'filled', bytes, digests });
  for (const event of recorded as unknown as readonly ImageEvent[]) {
    if (event.type === 'ImageDeleted' || event.type === 'ImageDeletionScheduled')
      return { kind: 'failed', reason: 'image-deleted', message: 'The image was deleted.' };
    if (uploadId !== null && 'uploadId' in event.data && event.data.uploadId !== uploadId) continue;
    switch (event.type) {
      case 'ImageDataStored':
        bytes = event.data.size;
        break;
      case 'ImageDigested':
        ({ digests } = event.data);
        break;
      case 'ImageActivated':
        isActive = true;
        break;
      case 'ImportCompleted':
        return filled();
      case 'IngestFailed':
        return isActive ? filled() : { kind: 'failed', ...event.data };
      case 'UploadAborted':
        if (uploadId !== null) return { kind: 'failed', ...event.data };
        break;
      default:
    }
  }
  const isImport = recorded.some(({ type }) => type === 'ImportRequested');
  return isActive && !isImport ? filled() : undefined;
}
