import { memberStatuses } from '../../../domain/image/attributes.ts';
import { taskStatuses, taskTypes } from '../../../domain/task/task.ts';
import { baseProperties } from './base-properties.ts';
import type { ImageSchema } from './image-schema.ts';

function imageOf({ told, required }: ImageSchema) {
  return {
    name: 'image',
    properties: told,
    additionalProperties: { type: 'string' },
    ...(required.length === 0 ? {} : { required }),
    links: [
      { rel: 'self', href: '{self}' },
      { rel: 'enclosure', href: '{file}' },
      { rel: 'describedby', href: '{schema}' },
    ],
  };
}

/** A page of items, with the links that page through them. */
const collection = (name: string, item: object) => ({
  name,
  properties: {
    [name]: { type: 'array', items: item },
    first: { type: 'string' },
    next: { type: 'string' },
    schema: { type: 'string' },
  },
  links: [
    { rel: 'first', href: '{first}' },
    { rel: 'next', href: '{next}' },
    { rel: 'describedby', href: '{schema}' },
  ],
});

const member = {
  name: 'member',
  properties: {
    member_id: {
      type: 'string',
      description: 'An identifier for the image member (tenantId)',
    },
    image_id: { ...baseProperties.id, description: 'An identifier for the image' },
    created_at: { type: 'string', description: 'Date and time of image member creation' },
    updated_at: {
      type: 'string',
      description: 'Date and time of last modification of image member',
    },
    status: {
      type: 'string',
      description: 'The status of this image member',
      enum: memberStatuses,
    },
    schema: { readOnly: true, type: 'string' },
  },
} as const;

const task = {
  name: 'task',
  properties: {
    id: { ...baseProperties.id, description: 'An identifier for the task' },
    type: {
      type: 'string',
      description: 'The type of task represented by this content',
      enum: taskTypes,
    },
    status: {
      type: 'string',
      description: 'The current status of this task',
      enum: taskStatuses,
    },
    input: {
      type: ['null', 'object'],
      description: 'The parameters required by task, JSON blob',
    },
    result: {
      type: ['null', 'object'],
      description: 'The result of current task, JSON blob',
    },
    owner: { type: 'string', description: 'An identifier for the owner of this task' },
    message: {
      type: 'string',
      description:
        'Human-readable informative message only included when appropriate (usually on failure)',
    },
    image_id: { type: 'string', description: 'Image associated with the task' },
    request_id: {
      type: 'string',
      description: 'Human-readable informative request-id',
    },
    user_id: { type: 'string', description: 'User associated with the task' },
    expires_at: {
      type: ['null', 'string'],
      description: 'Datetime when this resource would be subject to removal',
    },
    created_at: { type: 'string', description: 'Datetime when this resource was created' },
    updated_at: { type: 'string', description: 'Datetime when this resource was updated' },
    self: { readOnly: true, type: 'string' },
    schema: { readOnly: true, type: 'string' },
  },
} as const;

/** All items at once, without pages. */
const wholeCollection = (name: string, item: object) => ({
  name,
  properties: { [name]: { type: 'array', items: item }, schema: { type: 'string' } },
  links: [{ rel: 'describedby', href: '{schema}' }],
});

/** What `GET /v2/schemas/{name}` answers, by name (reference, section 18). */
export function schemaDocuments(schema: ImageSchema): ReadonlyMap<string, object> {
  const image = imageOf(schema);
  return new Map<string, object>([
    ['image', image],
    ['images', collection('images', image)],
    ['member', member],
    ['members', wholeCollection('members', member)],
    ['task', task],
    ['tasks', wholeCollection('tasks', task)],
  ]);
}
