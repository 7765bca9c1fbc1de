import type { Definition, Definitions, Kind, NamespaceAttributes } from './content.ts';
import { type DefinitionEvent, factsOf, type NamespaceEvent } from './events.ts';

/** What decisions about a namespace rest on. */
export type Namespace =
  | { readonly status: 'absent'; readonly endedClaims: readonly string[] }
  | Present
  | { readonly status: 'deleted' };

export interface Present {
  readonly status: 'present';
  /** The claim that holds its name. */
  readonly claimId: string;
  /** Claims that held an earlier name, or came to nothing. */
  readonly endedClaims: readonly string[];
  readonly attributes: NamespaceAttributes;
  readonly definitions: Definitions;
}

export const absent: Namespace = { status: 'absent', endedClaims: [] };

export function evolve(state: Namespace, event: NamespaceEvent): Namespace {
  switch (event.type) {
    case 'MetadefNamespaceCreated': {
      const { claimId, definitions, ...attributes } = event.data;
      const endedClaims = state.status === 'absent' ? state.endedClaims : [];
      return { status: 'present', claimId, endedClaims, attributes, definitions };
    }
    case 'MetadefNameClaimAbandoned':
      return state.status === 'deleted'
        ? state
        : { ...state, endedClaims: [...state.endedClaims, event.data.claimId] };
    case 'MetadefNamespaceDeleted':
      return { status: 'deleted' };
    case 'MetadefNamespaceUpdated': {
      if (state.status !== 'present') return state;
      const changed = event.data.changes.map(({ field, to }) => [field, to]);
      const attributes = { ...state.attributes, ...Object.fromEntries(changed) };
      return { ...state, attributes };
    }
    case 'MetadefNamespaceRenamed':
      if (state.status !== 'present') return state;
      return {
        ...state,
        claimId: event.data.claimId,
        endedClaims: [...state.endedClaims, state.claimId],
        attributes: { ...state.attributes, namespace: event.data.to },
      };
    default: {
      if (state.status !== 'present') return state;
      const kind = kindOf(event);
      return {
        ...state,
        definitions: {
          ...state.definitions,
          [kind]: definitionsAfter(state.definitions[kind], event),
        },
      };
    }
  }
}

const kindByFact: ReadonlyMap<string, Kind> = new Map(
  Object.entries(factsOf).flatMap(([kind, facts]) =>
    Object.values(facts).map((fact) => [fact, kind as Kind] as const),
  ),
);

/** Of what kind a fact about definitions speaks. */
export const kindOf = ({ type }: Pick<DefinitionEvent, 'type'>): Kind =>
  kindByFact.get(type) ?? 'tag';

/** The definitions of one kind after a fact about them. What does not change stays the same object. */
export function definitionsAfter<Item extends { readonly name: string }>(
  before: readonly Item[],
  event: DefinitionEvent,
  itemOf: (definition: Definition, was: Item | undefined) => Item = (definition) =>
    definition as unknown as Item,
): readonly Item[] {
  const { data } = event;
  if ('names' in data) return [];
  if ('to' in data && Array.isArray(data.to)) {
    const known = new Map(before.map((item) => [item.name, item]));
    return data.to.map((name: string) => known.get(name) ?? itemOf({ name }, undefined));
  }
  if ('definition' in data)
    return event.type.endsWith('Removed') || event.type === 'ResourceTypeDissociated'
      ? before.filter(({ name }) => name !== data.definition.name)
      : [...before, itemOf(data.definition, undefined)];
  const { from, to } = data as { from: Definition; to: Definition };
  return before.map((item) => (item.name === from.name ? itemOf(to, item) : item));
}
