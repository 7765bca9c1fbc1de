import { setTimeout as delay } from 'node:timers/promises';
import type { Handled } from '../../domain/command-handler.ts';
import type { AbortReason } from '../../domain/image/events.ts';
import type { Image } from '../../domain/image/state.ts';
import { Refused } from '../../domain/refused.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Trace } from './call.ts';
import type { Commands } from './commands.ts';

/** One attempt to fill an image. */
export interface UploadKey {
  readonly imageId: string;
  readonly uploadId: string;
}

/** How long until what could not be recorded is tried again. */
export const retryMs = 1_000;

/**
 * Appends what ends an upload of this process, and goes on trying until that is recorded, or refused, or the process
 * stops: while it lives nobody else would.
 */
export function uploadAborts({
  commands,
  logger,
  isStopped,
}: {
  readonly commands: Pick<Commands, 'report'>;
  readonly logger: Logger;
  readonly isStopped: () => boolean;
}) {
  /** Gives what the abort came to, undefined while it still has to be tried. */
  const abort = async (
    trace: Trace,
    { imageId, uploadId }: UploadKey,
    reason: AbortReason,
    message: string,
  ): Promise<Handled<Image> | undefined> => {
    const attempt = () =>
      commands.report(trace, imageId, { type: 'AbortUpload', uploadId, reason, message });
    try {
      return await attempt();
    } catch (error) {
      if (error instanceof Refused) return undefined;
      logger.warn({ err: error, imageId, uploadId }, 'an abort is not recorded yet');
      void untilRecorded(attempt);
      return undefined;
    }
  };

  const untilRecorded = async (attempt: () => Promise<unknown>): Promise<void> => {
    while (!isStopped()) {
      await delay(retryMs, undefined, { ref: false });
      try {
        await attempt();
        return;
      } catch (error) {
        if (error instanceof Refused) return;
      }
    }
  };

  return { abort, untilRecorded };
}
