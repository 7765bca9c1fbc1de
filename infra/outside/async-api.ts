import { outsideFacts, outsideKinds, outsideTypes } from '../../domain/outside/exposure.ts';
import { cloudEventType } from './cloud-event.ts';
import { outsideData } from './data.ts';
import { envelopeSchema, published, type Schema } from './schema-files.ts';
import { testData, testEnvelope } from './webhook-test.ts';

const contentType = 'application/cloudevents+json';
const text = { type: 'string' } as const;

const facts: Schema = Object.fromEntries(
  outsideFacts.map(({ kind, type }) => [
    type,
    {
      name: cloudEventType(kind, type),
      contentType,
      payload: {
        allOf: [
          { $ref: '#/components/schemas/CloudEvent' },
          {
            type: 'object',
            properties: {
              type: { const: cloudEventType(kind, type) },
              data: published(outsideData[type], 'draft-7'),
            },
          },
        ],
      },
    },
  ]),
);

const test: Schema = {
  name: testEnvelope.shape.type.value,
  summary: 'A try of a webhook, about nothing.',
  contentType,
  payload: published(testEnvelope.extend({ data: testData }), 'draft-7'),
};

const sameOf = (types: readonly string[]): Schema =>
  Object.fromEntries(types.map((type) => [type, { $ref: `#/components/messages/${type}` }]));

/** The same with headers, which a message on other ways does not have. */
const withHeaders = (types: readonly string[], headers: string): Schema =>
  Object.fromEntries(
    types.map((type) => [
      type,
      {
        contentType,
        headers: { $ref: `#/components/schemas/${headers}` },
        payload: { $ref: `#/components/messages/${type}/payload` },
      },
    ]),
  );

const channels = {
  bus: {
    address: 'daguerre.v1.{region}.{kind}.{project}.{id}.{event}',
    description:
      'A JetStream subject. Bytes of a token outside A-Z, a-z, 0-9, _ and - are written as = and two hex digits; without a project its token is _. What changes hands is told on the subject of the former project, too.',
    parameters: {
      region: { description: 'Name of the region.' },
      kind: { enum: outsideKinds },
      project: { description: 'Id of the owning project.' },
      id: { description: 'Id of the image, or of the namespace of metadata definitions.' },
      event: { enum: outsideTypes },
    },
    messages: withHeaders(outsideTypes, 'JetStreamHeaders'),
  },
  stream: {
    address: '/events/v1/stream',
    description: 'Server-Sent Events; `id` is the position, `data` the document.',
    messages: sameOf(outsideTypes),
  },
  pages: {
    address: '/events/v1',
    description: 'Pages of documents in `events`, with `next` for `after` of the next page.',
    messages: sameOf(outsideTypes),
  },
  webhook: {
    address: null,
    description:
      'The URL of an endpoint, as it was registered at /webhooks/v1/endpoints. Standard Webhooks: each document is posted until it is answered with 2xx.',
    messages: withHeaders([...outsideTypes, 'Test'], 'WebhookHeaders'),
  },
} as const;

const methods = { bus: undefined, stream: 'GET', pages: 'GET', webhook: 'POST' } as const;

const operations = Object.fromEntries(
  (Object.keys(channels) as (keyof typeof channels)[]).map((channel) => [
    channel,
    {
      action: 'send',
      channel: { $ref: `#/channels/${channel}` },
      messages: Object.keys(channels[channel].messages).map((type) => ({
        $ref: `#/channels/${channel}/messages/${type}`,
      })),
      ...(methods[channel] === undefined
        ? {}
        : { bindings: { http: { method: methods[channel], bindingVersion: '0.3.0' } } }),
    },
  ]),
);

const webhookHeaders: Schema = {
  type: 'object',
  properties: {
    'webhook-id': { ...text, description: "The event's id." },
    'webhook-timestamp': { ...text, description: 'When this attempt was made, in Unix seconds.' },
    'webhook-signature': {
      ...text,
      description: 'One or more, apart by spaces: `v1,` HMAC-SHA256 or `v1a,` Ed25519, in base64.',
    },
  },
  required: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
};

const jetStreamHeaders: Schema = {
  type: 'object',
  properties: {
    'Content-Type': { const: contentType },
    'Nats-Msg-Id': { ...text, description: 'Drops repeats; not always there.' },
    'Daguerre-Event-Id': { ...text, description: "The event's id." },
    'Daguerre-Position': { ...text, description: 'Its place in the order of all events.' },
    'Daguerre-Part': { ...text, description: '1/2: the first of two messages of one event.' },
    'Daguerre-After': { ...text, description: 'Place of the event before it.' },
  },
  required: [
    'Content-Type',
    'Daguerre-Event-Id',
    'Daguerre-Position',
    'Daguerre-Part',
    'Daguerre-After',
  ],
};

/** AsyncAPI 3 of every way on which the documents can be had. */
export const asyncApi: Schema = {
  asyncapi: '3.0.0',
  info: {
    title: 'Daguerre: what happens to images and metadata definitions',
    version: '1',
    description:
      'CloudEvents 1.0 in JSON. Delivery is at least once and in order per subject; `id` tells a repeat, `position` the place in the order of all events. Types and fields may be added.',
  },
  defaultContentType: contentType,
  channels,
  operations,
  components: {
    schemas: {
      CloudEvent: envelopeSchema('draft-7'),
      JetStreamHeaders: jetStreamHeaders,
      WebhookHeaders: webhookHeaders,
    },
    messages: { ...facts, Test: test },
  },
};
