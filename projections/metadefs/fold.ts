import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Definition, NamespaceAttributes } from '../../domain/metadef/content.ts';
import { type DefinitionEvent, factsOf, type NamespaceEvent } from '../../domain/metadef/events.ts';
import { definitionsAfter, kindOf } from '../../domain/metadef/state.ts';
import type { Entry } from '../projection.ts';
import type { Dated, NamespaceRecord, NamespaceSummary } from './record.ts';

export type NamespaceRow = NamespaceSummary;

/** Apart from the row of the namespace itself: it may be large, and lists need nothing of it. */
export type ContentRow = Pick<NamespaceRecord, 'properties' | 'objects' | 'tags'>;

/** The types of resources that the namespace was ever associated with, by when; they outlive it. */
export interface TypesRow {
  readonly types: readonly { readonly name: string; readonly createdAt: string }[];
}

export interface MetadefParts {
  readonly namespace: NamespaceRow;
  readonly content: ContentRow;
  readonly types: TypesRow;
}

const prefix = 'metadef-';

/** The namespace that an event is about; undefined where it is about none, or about a name alone. */
export const namespaceIdOf = ({ streamId }: Pick<RecordedEvent, 'streamId'>): string | undefined =>
  streamId.startsWith(prefix) ? streamId.slice(prefix.length) : undefined;

export function fold(entry: Entry<MetadefParts>, recorded: RecordedEvent): Entry<MetadefParts> {
  const event = recorded as unknown as NamespaceEvent;
  const at = recorded.recordedAt;
  if (event.type === 'MetadefNamespaceCreated') return created(recorded, event, entry);
  const { namespace, content } = entry;
  if (namespace === undefined || content === undefined) return entry;
  switch (event.type) {
    case 'MetadefNameClaimAbandoned':
      return entry;
    case 'MetadefNamespaceDeleted':
      return event.data.unloaded ? {} : { types: entry.types };
    case 'MetadefNamespaceRenamed':
      return { ...entry, namespace: { ...namespace, namespace: event.data.to, updatedAt: at } };
    case 'MetadefNamespaceUpdated': {
      const changed = event.data.changes.map(({ field, to }) => [field, to]);
      return {
        ...entry,
        namespace: { ...namespace, ...Object.fromEntries(changed), updatedAt: at },
      };
    }
    default:
      return withDefinitions(
        { namespace, content, types: entry.types ?? { types: [] } },
        event,
        at,
      );
  }
}

function created(
  { streamId, recordedAt: at }: RecordedEvent,
  {
    data: { claimId: _, definitions, ...attributes },
  }: NamespaceEvent & {
    type: 'MetadefNamespaceCreated';
  },
  entry: Entry<MetadefParts>,
): Entry<MetadefParts> {
  const dated = (all: readonly Definition[]) => all.map((one) => datedFrom(one, at));
  const fields: NamespaceAttributes = attributes;
  return {
    namespace: {
      ...fields,
      id: streamId.slice(prefix.length),
      createdAt: at,
      updatedAt: at,
      associations: dated(definitions.association),
    },
    content: {
      properties: dated(definitions.property),
      objects: dated(definitions.object),
      tags: dated(definitions.tag),
    },
    types: withTypes(entry.types ?? { types: [] }, definitions.association, at),
  };
}

function withDefinitions(
  { namespace, content, types }: MetadefParts,
  event: DefinitionEvent,
  at: Date,
): MetadefParts {
  const after = (before: readonly Dated[]) =>
    definitionsAfter(before, event, (definition, was) => datedFrom(definition, at, was));
  switch (kindOf(event)) {
    case 'association':
      return {
        namespace: { ...namespace, associations: after(namespace.associations) },
        content,
        types:
          event.type === factsOf.association.added
            ? withTypes(types, [(event.data as { definition: Definition }).definition], at)
            : types,
      };
    case 'property':
      return { namespace, types, content: { ...content, properties: after(content.properties) } };
    case 'object':
      return { namespace, types, content: { ...content, objects: after(content.objects) } };
    case 'tag':
      return { namespace, types, content: { ...content, tags: after(content.tags) } };
  }
}

function withTypes(before: TypesRow, added: readonly Definition[], at: Date): TypesRow {
  const fresh = added.filter(({ name }) => !before.types.some((type) => type.name === name));
  if (fresh.length === 0) return before;
  const createdAt = at.toISOString();
  return { types: [...before.types, ...fresh.map(({ name }) => ({ name, createdAt }))] };
}

function datedFrom(definition: Definition, at: Date, was?: Dated): Dated {
  const updatedAt = at.toISOString();
  return { name: definition.name, definition, createdAt: was?.createdAt ?? updatedAt, updatedAt };
}
