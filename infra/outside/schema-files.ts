import { z } from 'zod';
import { outsideFacts, outsideKinds } from '../../domain/outside/exposure.ts';
import { cloudEventType, envelope, schemaId } from './cloud-event.ts';
import { outsideData } from './data.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Fields may be added to what is published, so no schema forbids them: that is what `input` means here. */
const published = (schema: z.ZodType): Schema => {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
};
const dialect = 'https://json-schema.org/draft/2020-12/schema';

const dataSchemas = outsideFacts.map(({ kind, type }) => ({
  kind,
  type,
  schema: published(outsideData[type]),
}));
const envelopeSchema = published(envelope);

/** JSON Schema by file name: the envelope, and the data of each type under the name that its events carry. */
export const schemaFiles: ReadonlyMap<string, Schema> = new Map<string, Schema>([
  [
    'cloudevent.json',
    { $schema: dialect, $id: schemaId('cloudevent'), title: 'CloudEvent', ...envelopeSchema },
  ],
  ...dataSchemas.map(
    ({ kind, type, schema }) =>
      [
        `${kind}.${type}.json`,
        { $schema: dialect, $id: schemaId(`${kind}.${type}`), title: type, ...schema },
      ] as const,
  ),
]);

const messages = Object.fromEntries(
  dataSchemas.map(({ kind, type, schema }) => [
    type,
    {
      name: cloudEventType(kind, type),
      contentType: 'application/cloudevents+json',
      payload: {
        allOf: [
          { $ref: '#/components/schemas/CloudEvent' },
          {
            type: 'object',
            properties: { type: { const: cloudEventType(kind, type) }, data: schema },
            required: ['type', 'data'],
          },
        ],
      },
    },
  ]),
);
const allMessages = (from: string) =>
  Object.fromEntries(Object.keys(messages).map((type) => [type, { $ref: `${from}/${type}` }]));
const messageRefs = (channel: string) =>
  Object.keys(messages).map((type) => ({ $ref: `#/channels/${channel}/messages/${type}` }));

/** AsyncAPI 3 of every way on which the documents can be had. */
export const asyncApi: Schema = {
  asyncapi: '3.0.0',
  info: {
    title: 'Daguerre: what happens to images and metadata definitions',
    version: '1',
    description:
      'CloudEvents 1.0 in JSON. Delivery is at least once and in order per subject; `id` tells a repeat, `position` the place in the order of all events. Types and fields may be added.',
  },
  defaultContentType: 'application/cloudevents+json',
  channels: {
    bus: {
      address: 'daguerre.v1.{region}.{kind}.{project}.{id}.{event}',
      description:
        'A JetStream subject. Bytes of a token outside A-Z, a-z, 0-9, _ and - are written as = and two hex digits; without a project its token is _.',
      parameters: {
        region: { description: 'Name of the region.' },
        kind: { enum: outsideKinds },
        project: { description: 'Id of the owning project.' },
        id: { description: 'Id of the image, or of the namespace of metadata definitions.' },
        event: { enum: Object.keys(messages) },
      },
      messages: allMessages('#/components/messages'),
    },
    stream: {
      address: '/events/v1/stream',
      description: 'Server-Sent Events; `id` is the position, `data` the document.',
      messages: allMessages('#/components/messages'),
    },
    pages: {
      address: '/events/v1',
      description: 'Pages of documents in `events`, with `next` for `after` of the next page.',
      messages: allMessages('#/components/messages'),
    },
  },
  operations: Object.fromEntries(
    ['bus', 'stream', 'pages'].map((channel) => [
      channel,
      {
        action: 'send',
        channel: { $ref: `#/channels/${channel}` },
        messages: messageRefs(channel),
      },
    ]),
  ),
  components: { schemas: { CloudEvent: envelopeSchema }, messages },
};
