import type { EventLog } from '../domain/event-log.ts';
import {
  HoldUnknown,
  holdStream,
  type KnownHold,
  type ProjectHoldEvent,
  projectHold,
} from '../domain/hold/hold.ts';
import type { ImageCommand } from '../domain/image/commands.ts';
import type { HoldLocks } from '../infra/retention/hold-locks.ts';
import type { HandleImage } from './handle-image.ts';

export interface HeedingPorts {
  readonly log: Pick<EventLog, 'readStream'>;
  readonly locks: HoldLocks;
}

type Heeding = ImageCommand & { readonly type: 'DeleteImage' | 'ScrubImage' | 'UpdateImage' };

/** Whether it takes an image away from where a hold keeps it. */
const heeds = (command: ImageCommand): command is Heeding =>
  command.type === 'DeleteImage' ||
  command.type === 'ScrubImage' ||
  (command.type === 'UpdateImage' &&
    command.operations.some((one) => one.kind === 'set' && one.field === 'owner'));

/**
 * Decides what takes images away on the hold of the project that owns them, read from the log at that moment. From there to
 * the answer of the log no hold can be placed on the project: what is deleted was deleted before the hold, or not at all.
 * A process that dies in between, or loses its connection, may leave a deletion on its way that comes just after.
 */
export function heedingHolds(handle: HandleImage, { log, locks }: HeedingPorts): HandleImage {
  return async (streamId, command, context, deadline) => {
    if (!heeds(command)) return handle(streamId, command, context, deadline);
    const attempt = (known: KnownHold | null) =>
      handle(streamId, { ...command, projectHold: known }, context, deadline);
    for (let asked = () => attempt(null); ; )
      try {
        return await asked();
      } catch (error) {
        if (!(error instanceof HoldUnknown) || deadline.aborted) throw error;
        const { projectId } = error;
        asked = () =>
          locks.whileDeleting(projectId, async () => attempt(await holdOn(log, projectId)));
      }
  };
}

/** As the log has it now. */
export async function holdOn(
  log: Pick<EventLog, 'readStream'>,
  projectId: string,
): Promise<KnownHold> {
  const { events } = await log.readStream(holdStream(projectId));
  const facts = events as unknown as readonly ProjectHoldEvent[];
  return { projectId, ...facts.reduce(projectHold.evolve, projectHold.initial) };
}
