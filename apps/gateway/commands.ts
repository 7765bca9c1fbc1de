import { randomUUID } from 'node:crypto';
import type { Handled } from '../../domain/command-handler.ts';
import type { Actor, EventLog, StreamSlice } from '../../domain/event-log.ts';
import type { Attributes } from '../../domain/image/attributes.ts';
import type { CallerCommand, PipelineCommand } from '../../domain/image/commands.ts';
import { type ImageDecider, ruleOf } from '../../domain/image/image.ts';
import type { Image } from '../../domain/image/state.ts';
import { Refused } from '../../domain/refused.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { Images, Visible } from '../../projections/images/images.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import { handleImage } from '../handle-image.ts';
import type { Call, Trace } from './call.ts';
import { afterAppend, inTime, metadataOf, seenBy, traced } from './on-behalf.ts';

const gateway: Actor = { kind: 'system', part: 'gateway' };

export const imageStream = (imageId: string): string => `image-${imageId}`;

/** Changes images on behalf of requests. */
export interface Commands {
  /** Gives the new image as it can be seen; without an id of the client's it gets one. */
  create(call: Call, imageId: string | undefined, attributes: Attributes): Promise<ImageRecord>;
  /** Decides and appends what the caller asks; gives the position to wait for. */
  append(call: Call, imageId: string, command: CallerCommand): Promise<Handled<Image>>;
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
}: {
  log: Pick<EventLog, 'readStream' | 'append'>;
  images: Pick<Images, 'show'>;
  visible: Visible;
  personal: PersonalRecords;
  decider: ImageDecider;
}): Commands {
  const handle = handleImage(log, decider);

  const append = async (
    call: Call,
    imageId: string,
    command: CallerCommand,
    handler = handle,
  ): Promise<Handled<Image>> => {
    const metadata = await metadataOf(call, ruleOf[command.type], personal);
    const context = { commandId: randomUUID(), metadata };
    try {
      return await inTime((deadline) => handler(imageStream(imageId), command, context, deadline));
    } catch (error) {
      if (error instanceof Refused && error.code === 'image-unknown')
        throw unknownImage(imageId, error.rule);
      throw error;
    }
  };

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
      const handler = given === undefined ? handleImage(knownToBeEmpty(log), decider) : handle;
      const command = { type: 'CreateImage', caller: call.caller, attributes } as const;
      return shown(imageId, await append(call, imageId, command, handler));
    },
    append: (call, imageId, command) => append(call, imageId, command),
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

/** A log that is spared one read: nothing can be in the stream of an id that was made just now. */
function knownToBeEmpty(log: Pick<EventLog, 'readStream' | 'append'>) {
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
