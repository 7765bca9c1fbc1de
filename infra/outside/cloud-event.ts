import { z } from 'zod';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { exposureOf, type OutsideType } from '../../domain/outside/exposure.ts';
import type { Outside } from '../../domain/outside/outside.ts';
import { outsideData } from './data.ts';

/** Below this an integer of CloudEvents stays: it has 32 bits. */
const maxInteger = 2 ** 31 - 1;

/** What every document has beside `data`: CloudEvents 1.0, JSON, structured mode. */
export const attributes = z.object({
  specversion: z.literal('1.0'),
  id: z.uuid().describe("The event's id: the same again when it is delivered again."),
  source: z.string().describe('`/daguerre/{region}`.'),
  type: z.string().describe('`daguerre.v1.{kind}.{event}`.'),
  subject: z.string().describe('`{kind}/{id}`, for example `image/{uuid}`.'),
  time: z.iso.datetime().describe('When the log took it.'),
  datacontenttype: z.literal('application/json'),
  dataschema: z
    .string()
    .describe('Name of the schema of `data`, the `$id` under which it is published.'),
  region: z.string(),
});

/** The same of facts. Absent is unknown or nobody. */
export const envelope = attributes.extend({
  revision: z
    .int()
    .nonnegative()
    .max(maxInteger)
    .describe('0, 1, 2 … among the events of this subject, some of which stay inside.'),
  position: z
    .string()
    .regex(/^\d+$/)
    .describe(
      'Place in the order of all events: a decimal number of up to 19 digits, compared as a number.',
    ),
  projectid: z.string().optional().describe('Owner of the subject once this had happened.'),
  formerprojectid: z.string().optional().describe('Owner before, where this changed it.'),
  actorkind: z
    .enum(['user', 'system'])
    .optional()
    .describe('Told to the owner and to administrators, as are the attributes that follow.'),
  actorid: z.string().optional().describe('Id of the user, or name of the part of the system.'),
  actorprojectid: z.string().optional(),
  requestid: z.string().optional(),
  globalrequestid: z.string().optional(),
  causationid: z.string().optional(),
  correlationid: z
    .string()
    .optional()
    .describe('The same through everything that one request set in motion.'),
  bulkimportid: z.string().optional().describe('Id of the bulk import that led to it.'),
  dataref: z
    .string()
    .optional()
    .describe(
      'Instead of `data` that is larger than a bus takes: the page of one event that has it.',
    ),
});

/** A fact as it is told outside, on every way out the same. */
export type CloudEvent = Omit<z.infer<typeof envelope>, 'dataref'> & {
  readonly data: Readonly<Record<string, unknown>>;
};

/** CloudEvents' "claim check", for a bus that does not take the whole document. */
export const withoutData = ({ data, ...rest }: CloudEvent): z.infer<typeof envelope> => ({
  ...rest,
  dataref: `/events/v1?after=${BigInt(rest.position) - 1n}&limit=1`,
});

export const typePrefix = 'daguerre.v1.';
/** CloudEvents asks for an absolute URI, and the place where schemas are served differs from site to site. */
const schemaPrefix = 'urn:daguerre:events:v1:';

export const cloudEventType = (kind: string, type: string): string =>
  `${typePrefix}${kind}.${type}`;
export const sourceOf = (region: string): string => `/daguerre/${encodeURIComponent(region)}`;
/** Of the data of a type, `image.ImageCreated`; or of the envelope. */
export const schemaId = (name: string): string => `${schemaPrefix}${name}`;

/** `image-{uuid}` is the image with that id, `metadef-{uuid}` a namespace. */
export function entityOf(streamId: string): { readonly kind: string; readonly id: string } {
  const [kind = '', ...rest] = streamId.split('-');
  return { kind, id: rest.join('-') };
}

/** What a document needs beside the event: see `outsideOf`. */
export type Place = Pick<Outside, 'projectId' | 'formerProjectId'> & { readonly region: string };

/** The document of a fact, undefined for what stays inside. Pure: the same event gives the same document, byte for byte. */
export function cloudEventOf(event: RecordedEvent, place: Place): CloudEvent | undefined {
  if (exposureOf(event) === 'inside') return undefined;
  const { kind, id } = entityOf(event.streamId);
  const { region, projectId, formerProjectId } = place;
  return {
    specversion: '1.0',
    id: event.id,
    source: sourceOf(region),
    type: cloudEventType(kind, event.type),
    subject: `${kind}/${id}`,
    time: event.recordedAt.toISOString(),
    datacontenttype: 'application/json',
    dataschema: schemaId(`${kind}.${event.type}`),
    revision: event.revision,
    position: String(event.position),
    region,
    ...(projectId === null ? {} : { projectid: projectId }),
    ...(formerProjectId === null ? {} : { formerprojectid: formerProjectId }),
    ...traceOf(event),
    data: outsideData[event.type as OutsideType].parse(event.data),
  };
}

function traceOf({ metadata }: RecordedEvent) {
  const { actor, requestId, globalRequestId, causationId, correlationId, bulkImport } = metadata;
  const who =
    actor.kind === 'user'
      ? {
          actorkind: 'user' as const,
          actorid: actor.userId,
          ...(actor.projectId === null ? {} : { actorprojectid: actor.projectId }),
        }
      : { actorkind: 'system' as const, actorid: actor.part };
  return {
    ...who,
    requestid: requestId,
    ...(globalRequestId === undefined ? {} : { globalrequestid: globalRequestId }),
    causationid: causationId,
    correlationid: correlationId,
    ...(bulkImport === undefined ? {} : { bulkimportid: bulkImport }),
  };
}

/** As it is told to who sees the subject without owning it: not by whom and by which request. */
export function withoutTrace(document: CloudEvent): CloudEvent {
  const {
    actorkind,
    actorid,
    actorprojectid,
    requestid,
    globalrequestid,
    causationid,
    correlationid,
    bulkimportid,
    ...rest
  } = document;
  return rest;
}
