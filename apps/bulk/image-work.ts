import { randomUUID } from 'node:crypto';
import type { BulkItem } from '../../domain/bulk/events.ts';
import type { Changes } from '../../domain/bulk/plan.ts';
import { commandHandler } from '../../domain/command-handler.ts';
import type { Decider } from '../../domain/decider.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { Caller } from '../../domain/image/access.ts';
import type { CallerCommand } from '../../domain/image/commands.ts';
import type { ImageEvent, ImportMethod } from '../../domain/image/events.ts';
import { type ImageDecider, ruleOf } from '../../domain/image/image.ts';
import type { Image } from '../../domain/image/state.ts';
import { schemaVersions } from '../../domain/image/upcast.ts';
import { eventId } from '../../infra/event-id.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { Call } from '../gateway/call.ts';
import { type Commands, imageStream, knownToBeEmpty } from '../gateway/commands.ts';
import type { Imports } from '../gateway/imports.ts';
import { inTime, metadataOf } from '../gateway/on-behalf.ts';
import { pause } from '../handle-image.ts';

/** What is done to images in the name of who asked for an import: nothing that the API would not do for them. */
export interface ImageWork {
  /** Makes the image, shares it and has its bytes fetched, if a worker is to; gives the id of that attempt. */
  create(call: Call, imageId: string, item: BulkItem): Promise<string | null>;
  /** Has the bytes of an image that is there fetched, if a worker is to. */
  fill(call: Call, imageId: string, item: BulkItem): Promise<string | null>;
  change(call: Call, imageId: string, changes: Changes): Promise<void>;
  remove(call: Call, imageId: string): Promise<void>;
  /** As it is, and through which bulk import it was made. */
  look(imageId: string): Promise<{ readonly state: Image; readonly madeBy: string | undefined }>;
}

export interface ImageWorkPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly decider: ImageDecider;
  readonly personal: PersonalRecords;
  readonly commands: Pick<Commands, 'create' | 'append'>;
  readonly imports: Pick<Imports, 'request'>;
  /** Whether room must be asked for before anything is made: then it takes as many steps as by the API. */
  readonly isLimited: boolean;
  readonly keepDeletedMs: number | null;
}

export function imageWork(ports: ImageWorkPorts): ImageWork {
  const { log, decider, personal, commands, imports } = ports;
  const rules = { eventId, schemaVersions, pause };
  const inSequence = sequence(decider);

  /** All of these, or none, in one append. */
  const appendAll = async (
    call: Call,
    imageId: string,
    asked: readonly CallerCommand[],
    isNew: boolean,
  ): Promise<void> => {
    const [first] = asked;
    if (first === undefined) return;
    const from = isNew ? knownToBeEmpty(log) : log;
    const handle = commandHandler(inSequence, { ...rules, log: from });
    const metadata = await metadataOf(call, ruleOf[first.type], personal);
    const context = { commandId: randomUUID(), metadata };
    await inTime((deadline) => handle(imageStream(imageId), asked, context, deadline));
  };

  const look: ImageWork['look'] = async (imageId) => {
    const { events } = await log.readStream(imageStream(imageId));
    return { state: stateOf(events, decider), madeBy: events[0]?.metadata.bulkImport };
  };

  /** The attempt that is under way, whoever began it. */
  const attemptOf = async (imageId: string): Promise<string | null> => {
    const { state } = await look(imageId);
    return 'upload' in state ? (state.upload?.uploadId ?? null) : null;
  };

  const fill: ImageWork['fill'] = async (call, imageId, item) => {
    const [request] = importOf(call.caller, item);
    if (request === undefined) return null;
    if (!ports.isLimited) {
      await appendAll(call, imageId, [request], false);
      return request.uploadId;
    }
    const { method, stores, allStoresMustSucceed } = request;
    await imports.request(call, imageId, { method, stores, unknown: [], allStoresMustSucceed });
    return attemptOf(imageId);
  };

  return {
    look,
    fill,
    async create(call, imageId, item) {
      if (ports.isLimited) {
        await commands.create(call, imageId, item.attributes);
        await appendAll(call, imageId, sharing(call.caller, item.members), false);
        return fill(call, imageId, item);
      }
      const asked = commandsFor(call.caller, item);
      await appendAll(call, imageId, asked, true);
      return asked.find((one) => one.type === 'RequestImport')?.uploadId ?? null;
    },
    async change(call, imageId, { operations, members }) {
      const { caller } = call;
      const update: readonly CallerCommand[] =
        operations.length === 0 ? [] : [{ type: 'UpdateImage', caller, operations }];
      await appendAll(call, imageId, [...update, ...sharing(caller, members)], false);
    },
    async remove(call, imageId) {
      const { keepDeletedMs } = ports;
      const keep =
        keepDeletedMs === null
          ? {}
          : { keepUntil: new Date(Date.now() + keepDeletedMs).toISOString() };
      await commands.append(call, imageId, { type: 'DeleteImage', caller: call.caller, ...keep });
    },
  };
}

/** What makes the image of an item. */
export const commandsFor = (caller: Caller, item: BulkItem): readonly CallerCommand[] => [
  { type: 'CreateImage', caller, attributes: item.attributes },
  ...sharing(caller, item.members),
  ...importOf(caller, item),
];

const sharing = (caller: Caller, members: readonly string[]): readonly CallerCommand[] =>
  members.map((member) => ({ type: 'AddMember', caller, member }));

type RequestDownload = CallerCommand & {
  readonly type: 'RequestImport';
  readonly method: ImportMethod & { readonly name: 'web-download' };
};

function importOf(
  caller: Caller,
  { source, expected, stores, allStoresMustSucceed }: BulkItem,
): readonly RequestDownload[] {
  if (source.kind === 'client') return [];
  const method = { name: 'web-download', uri: source.uri, expected } as const;
  const uploadId = randomUUID();
  return [{ type: 'RequestImport', caller, uploadId, method, stores, allStoresMustSucceed }];
}

const stateOf = (events: readonly RecordedEvent[], decider: ImageDecider): Image =>
  (events as unknown as readonly ImageEvent[]).reduce(decider.evolve, decider.initial);

/** Each decided on what the ones before it lead to, and its facts allowed by its own rule. */
export const sequence = ({
  initial,
  evolve,
  decide,
}: ImageDecider): Decider<
  Image,
  readonly CallerCommand[],
  ImageEvent & { readonly rule?: string }
> => ({
  initial,
  evolve,
  decide(commands, before) {
    let state = before;
    return commands.flatMap((command) => {
      const facts = decide(command, state);
      state = facts.reduce(evolve, state);
      return facts.map((fact) => ({ ...fact, rule: ruleOf[command.type] }));
    });
  },
});
