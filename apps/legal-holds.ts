import { type CommandContext, commandHandler } from '../domain/command-handler.ts';
import type { EventLog } from '../domain/event-log.ts';
import { type HoldCommand, holdStream, projectHold } from '../domain/hold/hold.ts';
import type { ImageEvent } from '../domain/image/events.ts';
import { evolve } from '../domain/image/evolve.ts';
import { absent, type Image } from '../domain/image/state.ts';
import { schemaVersions } from '../domain/image/upcast.ts';
import { eventId } from '../infra/event-id.ts';
import type { HoldLocks } from '../infra/retention/hold-locks.ts';
import type { History } from '../projections/history/history.ts';
import { handleImage, pause } from './handle-image.ts';
import { holdOn } from './heeding-holds.ts';

/** What a hold is on. */
export interface HoldTarget {
  readonly kind: 'image' | 'project';
  readonly id: string;
}

/** A hold that is in force. */
export interface StandingHold extends HoldTarget {
  readonly reason: string;
}

export interface HoldPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly locks: HoldLocks;
}

/** Places and lifts holds; gives the position from which it is so. Rejects with `Refused` where there is no such image. */
export function holdKeeper({ log, locks }: HoldPorts) {
  const onImage = handleImage(log);
  const onProject = commandHandler(projectHold, { log, eventId, schemaVersions, pause });
  return async function change(
    { kind, id }: HoldTarget,
    command: HoldCommand,
    context: CommandContext,
    deadline: AbortSignal,
  ): Promise<bigint> {
    if (kind === 'image')
      return (await onImage(`image-${id}`, command, context, deadline)).position;
    return locks.whilePlacing(
      id,
      async () => (await onProject(holdStream(id), command, context, deadline)).position,
    );
  };
}

/** Why the target is not to be deleted; null where it is under no hold of its own. */
export async function reasonOf(
  log: Pick<EventLog, 'readStream'>,
  { kind, id }: HoldTarget,
): Promise<string | null> {
  if (kind === 'project') return (await holdOn(log, id)).reason;
  const state = await imageIn(log, id);
  return 'hold' in state ? (state.hold ?? null) : null;
}

/** The project that owns an image now, by the log; null where there is none. */
export async function ownerOf(
  log: Pick<EventLog, 'readStream'>,
  imageId: string,
): Promise<string | null> {
  const state = await imageIn(log, imageId);
  return 'owner' in state ? state.owner : null;
}

/** Why an image is kept, by a hold of its own or of its project; null where nothing keeps it. */
export async function whyKept(
  log: Pick<EventLog, 'readStream'>,
  imageId: string,
): Promise<string | null> {
  const state = await imageIn(log, imageId);
  if (!('owner' in state)) return null;
  const own = state.hold ?? null;
  return own ?? (state.owner === null ? null : (await holdOn(log, state.owner)).reason);
}

const imageIn = async (log: Pick<EventLog, 'readStream'>, imageId: string): Promise<Image> => {
  const { events } = await log.readStream(`image-${imageId}`);
  return (events as unknown as readonly ImageEvent[]).reduce(evolve, absent);
};

const placed = { image: 'LegalHoldPlaced', project: 'ProjectHoldPlaced' } as const;
const pageSize = 500;

/**
 * Every hold that is in force, in the order in which they were first placed. History says on what there ever was one, the
 * log whether it still is: holds are few.
 */
export async function standingHolds(
  { log, changes }: { log: Pick<EventLog, 'readStream'>; changes: History },
  upTo: bigint,
): Promise<readonly StandingHold[]> {
  const targets = new Map<string, HoldTarget>();
  for (let after = 0n; after < upTo; ) {
    const page = await changes.page({
      viewer: { projectId: null, seesAll: true },
      filter: { types: Object.values(placed) },
      ...{ after, upTo, limit: pageSize },
    });
    for (const { kind, object } of page.changes)
      if (object !== null) {
        const target = { kind: kind === 'image' ? 'image' : 'project', id: object } as const;
        targets.set(`${target.kind} ${object}`, target);
      }
    after = page.next;
  }
  const standing: StandingHold[] = [];
  for (const target of targets.values()) {
    const reason = await reasonOf(log, target);
    if (reason !== null) standing.push({ ...target, reason });
  }
  return standing;
}
