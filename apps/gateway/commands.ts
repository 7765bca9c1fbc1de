import { randomUUID } from 'node:crypto';
import type { Handled } from '../../domain/command-handler.ts';
import type { Actor, EventLog, StreamSlice } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { CallerCommand, PipelineCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { type ImageDecider, ruleOf } from '../../domain/image/image.ts';
import { type Existing, type Image, isThere } from '../../domain/image/state.ts';
import type { PassStep } from '../../domain/pipeline-steps.ts';
import { Refused } from '../../domain/refused.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import { type HoldLocks, memoryHoldLocks } from '../../infra/retention/hold-locks.ts';
import type { Images, Visible } from '../../projections/images/images.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import { handleImage, leftImages } from '../handle-image.ts';
import { heedingHolds } from '../heeding-holds.ts';
import type { Call, Trace } from './call.ts';
import { afterAppend, inTime, metadataOf, seenBy, traced } from './on-behalf.ts';
import { type GatewayQuota, noQuota, within } from './quota.ts';

const gateway: Actor = { kind: 'system', part: 'gateway' };

export const imageStream = (imageId: string): string => `image-${imageId}`;

/** Changes images on behalf of requests. */
export interface Commands {
  /** Gives the new image as it can be seen; without an id of the client's it gets one. */
  create(call: Call, imageId: string | undefined, attributes: Attributes): Promise<ImageRecord>;
  /** Decides and appends what the caller asks; gives the position to wait for. */
  append(call: Call, imageId: string, command: CallerCommand): Promise<Handled<Image>>;
  /** Refuses what would be refused, and gives the image as it is; appends nothing. */
  preview(imageId: string, command: CallerCommand): Promise<Existing>;
  /** The same, and waits until every gateway shows it. */
  perform(call: Call, imageId: string, command: CallerCommand): Promise<void>;
  /** The same, and gives the image as it can be seen then. */
  performAndShow(call: Call, imageId: string, command: CallerCommand): Promise<ImageRecord>;
  /** What the gateway itself has to say of an upload that it receives. */
  report(trace: Trace, imageId: string, command: PipelineCommand): Promise<Handled<Image>>;
  /** Resolves once the effects up to a position can be seen; rejects with 504 otherwise, since something was appended. */
  visible(position: bigint): Promise<void>;
}

export function imageCommands({
  log,
  images,
  visible,
  personal,
  decider,
  quota,
  holdLocks = memoryHoldLocks(),
  passStep,
}: {
  log: Pick<EventLog, 'readStream' | 'append'>;
  images: Pick<Images, 'show'>;
  visible: Visible;
  personal: PersonalRecords;
  decider: ImageDecider;
  quota: GatewayQuota;
  /** Absent where nobody else deletes, or places holds. */
  holdLocks?: HoldLocks;
  passStep: PassStep;
}): Commands {
  const left = leftImages();
  const handle = heedingHolds(handleImage(log, decider, left), { log, locks: holdLocks });

  const append = async (
    call: Call,
    imageId: string,
    command: CallerCommand,
    handler = handle,
    commandId: string = randomUUID(),
  ): Promise<Handled<Image>> => {
    const metadata = await metadataOf(call, ruleOf[command.type], personal);
    const context = { commandId, metadata };
    return known(imageId, () =>
      inTime((deadline) => handler(imageStream(imageId), command, context, deadline)),
    );
  };

  const preview = (imageId: string, command: CallerCommand): Promise<Existing> =>
    known(imageId, async () => {
      const { events } = await log.readStream(imageStream(imageId));
      const facts = events as unknown as readonly ImageEvent[];
      const state = facts.reduce(decider.evolve, decider.initial);
      decider.decide(command, state);
      if (!isThere(state)) throw unknownImage(imageId);
      return state;
    });

  const seen = seenBy(visible);

  const shown = async (imageId: string, { position }: Handled<Image>): Promise<ImageRecord> => {
    await seen(position);
    const record = await afterAppend(() => images.show(imageId));
    if (record === undefined) throw unknownImage(imageId);
    return record;
  };

  return {
    async create(call, given, attributes) {
      const imageId = given ?? randomUUID();
      const handler =
        given === undefined ? handleImage(knownToBeEmpty(log), decider, left) : handle;
      const command = { type: 'CreateImage', caller: call.caller, attributes } as const;
      if (quota === noQuota) return shown(imageId, await append(call, imageId, command, handler));
      passStep('gateway.quota-deciding');
      decider.decide(command, decider.initial); // what is refused anyway needs no room
      const commandId = randomUUID();
      const hold = await quota.forImage(call, commandId, imageId, attributes.owner);
      passStep('gateway.quota-reserved');
      const reserved = { ...command, reservation: hold.reservationId };
      const created = await within(hold, () => append(call, imageId, reserved, handler, commandId));
      passStep('gateway.image-created');
      const [record] = await Promise.all([
        shown(imageId, created),
        hold.commit(['images'], created.position),
      ]);
      passStep('gateway.quota-committed');
      return record;
    },
    append: (call, imageId, command) => append(call, imageId, command),
    preview,
    async perform(call, imageId, command) {
      await seen((await append(call, imageId, command)).position);
    },
    async performAndShow(call, imageId, command) {
      return shown(imageId, await append(call, imageId, command));
    },
    report(trace, imageId, command) {
      const context = { commandId: randomUUID(), metadata: { actor: gateway, ...traced(trace) } };
      return inTime((deadline) => handle(imageStream(imageId), command, context, deadline));
    },
    visible: seen,
  };
}

async function known<Result>(imageId: string, step: () => Promise<Result>): Promise<Result> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof Refused && error.code === 'image-unknown')
      throw unknownImage(imageId, error.rule);
    throw error;
  }
}

/** A log that is spared one read: nothing can be in the stream of an id that was made just now. */
export function knownToBeEmpty(log: Pick<EventLog, 'readStream' | 'append'>) {
  let read = false;
  return {
    append: log.append,
    async readStream(streamId: string): Promise<StreamSlice> {
      if (read) return log.readStream(streamId);
      read = true;
      return { events: [], revision: -1, position: 0n };
    },
  };
}

/** `rule` where the image is there, but not for this caller: the answer is the same. */
export const unknownImage = (imageId: string, rule?: string): Refused =>
  new Refused('image-unknown', `No image found with ID ${imageId}`, rule);
