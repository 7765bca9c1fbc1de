import type { RecordedEvent } from '../../../domain/event-log.ts';
import type { Json, JsonObject } from '../../../domain/json.ts';
import type { Definition, Kind } from '../../../domain/metadef/content.ts';
import { kinds } from '../../../domain/metadef/content.ts';
import {
  type DefinitionEvent,
  factsOf,
  type NamespaceEvent,
} from '../../../domain/metadef/events.ts';
import { kindOf } from '../../../domain/metadef/state.ts';
import { fold, type MetadefParts } from '../../../projections/metadefs/fold.ts';
import type { Dated, NamespaceSummary } from '../../../projections/metadefs/record.ts';
import type { Entry } from '../../../projections/projection.ts';
import { isoTime, type Notification, told } from './envelope.ts';

export type MetadefKnown = Entry<MetadefParts>;

export const metadefKnownAfter = fold;

const nameOf = {
  association: 'metadef_resource_type',
  property: 'metadef_property',
  object: 'metadef_object',
  tag: 'metadef_tag',
} as const satisfies Record<Kind, string>;

const emptied = {
  property: 'metadef_namespace.delete_properties',
  object: 'metadef_namespace.delete_objects',
  tag: 'metadef_namespace.delete_tags',
} as const;

export function metadefNotifications(
  recorded: RecordedEvent,
  before: MetadefKnown,
): readonly Notification[] {
  const event = recorded as unknown as NamespaceEvent;
  const after = fold(before, recorded);
  const { namespace: was } = before;
  const { namespace } = after;
  switch (event.type) {
    case 'MetadefNamespaceCreated':
      if (namespace === undefined) return [];
      return [
        told('metadef_namespace.create', namespacePayload(namespace)),
        ...kinds.flatMap((kind) =>
          definitionsOf(after, kind).map((one) =>
            told(`${nameOf[kind]}.create`, payloadOf(kind, one, namespace)),
          ),
        ),
      ];
    case 'MetadefNamespaceUpdated':
    case 'MetadefNamespaceRenamed':
      if (namespace === undefined || was === undefined) return [];
      return [
        told('metadef_namespace.update', {
          ...namespacePayload(namespace),
          namespace_old: was.namespace,
        }),
      ];
    case 'MetadefNamespaceDeleted':
      return was === undefined
        ? []
        : [told('metadef_namespace.delete', gone(namespacePayload(was), recorded))];
    case 'MetadefNameClaimAbandoned':
      return [];
    default:
      return was === undefined || namespace === undefined
        ? []
        : ofDefinitions(recorded, event, before, after, namespace);
  }
}

function ofDefinitions(
  recorded: RecordedEvent,
  event: DefinitionEvent,
  before: MetadefKnown,
  after: MetadefKnown,
  namespace: NamespaceSummary,
): readonly Notification[] {
  const kind = kindOf(event);
  const name = nameOf[kind];
  const named = (known: MetadefKnown, wanted: string): readonly Dated[] =>
    definitionsOf(known, kind).filter((one) => one.name === wanted);
  const removed = (one: Dated): Notification =>
    told(`${name}.delete`, gone(payloadOf(kind, one, namespace), recorded));
  if (event.type === 'MetadefTagsReplaced')
    return event.data.to
      .flatMap((tag) => named(after, tag))
      .map((one) => told(`${name}.create`, payloadOf(kind, one, namespace)));
  if ('names' in event.data)
    return kind === 'association'
      ? definitionsOf(before, kind).map(removed)
      : [told(emptied[kind], gone(namespacePayload(namespace), recorded))];
  if ('from' in event.data) {
    const { from, to } = event.data as { from: Definition; to: Definition };
    return named(after, to.name).map((one) =>
      told(`${name}.update`, { ...payloadOf(kind, one, namespace), name_old: from.name }),
    );
  }
  const { definition } = event.data as { definition: Definition };
  return event.type === factsOf[kind].removed
    ? named(before, definition.name).map(removed)
    : named(after, definition.name).map((one) =>
        told(`${name}.create`, payloadOf(kind, one, namespace)),
      );
}

function definitionsOf({ namespace, content }: MetadefKnown, kind: Kind): readonly Dated[] {
  switch (kind) {
    case 'association':
      return namespace?.associations ?? [];
    case 'property':
      return content?.properties ?? [];
    case 'object':
      return content?.objects ?? [];
    case 'tag':
      return content?.tags ?? [];
  }
}

const there = { deleted: false, deleted_at: null };

const gone = (payload: JsonObject, { recordedAt }: RecordedEvent): JsonObject => ({
  ...payload,
  deleted: true,
  deleted_at: isoTime(recordedAt),
});

const times = ({ createdAt, updatedAt }: Pick<Dated, 'createdAt' | 'updatedAt'>) => ({
  created_at: isoTime(createdAt),
  updated_at: isoTime(updatedAt),
});

const namespacePayload = (namespace: NamespaceSummary): JsonObject => ({
  namespace: namespace.namespace,
  namespace_old: namespace.namespace,
  display_name: namespace.displayName,
  protected: namespace.protected,
  visibility: namespace.visibility,
  owner: namespace.owner,
  description: namespace.description,
  created_at: isoTime(namespace.createdAt),
  updated_at: isoTime(namespace.updatedAt),
  ...there,
});

/** Fields of a property's schema, as Glance tells them. */
const schemaFields = [
  'type',
  'title',
  'description',
  'default',
  'minimum',
  'maximum',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'confidential',
  'items',
  'uniqueItems',
  'minItems',
  'maxItems',
  'additionalItems',
] as const;

const schemaPayload = (schema: Readonly<Record<string, Json>>): JsonObject =>
  Object.fromEntries(schemaFields.map((field) => [field, schema[field] ?? null]));

function payloadOf(
  kind: Kind,
  { definition, ...dated }: Dated,
  { namespace }: NamespaceSummary,
): JsonObject {
  const fields = definition as Readonly<Record<string, Json>>;
  const named = { namespace, name: dated.name, name_old: dated.name };
  switch (kind) {
    case 'property':
      return { ...named, ...schemaPayload(fields), ...there };
    case 'object':
      return {
        ...named,
        properties: Object.entries((fields.properties ?? {}) as JsonObject).map(
          ([name, schema]) => ({
            name,
            ...schemaPayload(schema as Readonly<Record<string, Json>>),
          }),
        ),
        required: fields.required ?? [],
        description: fields.description ?? null,
        ...times(dated),
        ...there,
      };
    case 'tag':
      return { ...named, ...times(dated), ...there };
    case 'association':
      return {
        ...named,
        prefix: fields.prefix ?? null,
        properties_target: fields.properties_target ?? null,
        ...times(dated),
        ...there,
      };
  }
}
