import type { Definition, Definitions, Kind, NamespaceAttributes } from './content.ts';

type Fact<Type extends string, Data> = { readonly type: Type; readonly data: Readonly<Data> };

/** One field's change: what it was and what it is. */
export type AttributeChange = {
  readonly [Field in Exclude<keyof NamespaceAttributes, 'namespace'>]: {
    readonly field: Field;
    readonly from: NamespaceAttributes[Field];
    readonly to: NamespaceAttributes[Field];
  };
}[Exclude<keyof NamespaceAttributes, 'namespace'>];

/** What the facts about each kind of definition are called. */
export const factsOf = {
  association: {
    added: 'ResourceTypeAssociated',
    changed: 'ResourceTypeAssociationChanged',
    removed: 'ResourceTypeDissociated',
    emptied: 'ResourceTypesDissociated',
  },
  property: {
    added: 'MetadefPropertyAdded',
    changed: 'MetadefPropertyChanged',
    removed: 'MetadefPropertyRemoved',
    emptied: 'MetadefPropertiesRemoved',
  },
  object: {
    added: 'MetadefObjectAdded',
    changed: 'MetadefObjectChanged',
    removed: 'MetadefObjectRemoved',
    emptied: 'MetadefObjectsRemoved',
  },
  tag: {
    added: 'MetadefTagAdded',
    changed: 'MetadefTagChanged',
    removed: 'MetadefTagRemoved',
    emptied: 'MetadefTagsRemoved',
  },
} as const satisfies Record<Kind, Record<'added' | 'changed' | 'removed' | 'emptied', string>>;

type FactName<Verb extends keyof (typeof factsOf)[Kind]> = (typeof factsOf)[Kind][Verb];

/** What can happen to what a namespace consists of. A change of a definition's name is a change like any other. */
export type DefinitionEvent =
  | Fact<FactName<'added'>, { definition: Definition }>
  | Fact<FactName<'changed'>, { from: Definition; to: Definition }>
  | Fact<FactName<'removed'>, { definition: Definition }>
  /** All of a kind, by name. */
  | Fact<FactName<'emptied'>, { names: readonly string[] }>
  | Fact<'MetadefTagsReplaced', { from: readonly string[]; to: readonly string[] }>;

/**
 * What can happen to a namespace. Its id is in the stream's name (`metadef-{uuid}`) and outlives every renaming.
 * `claimId` is the claim on its name that a fact makes use of (`names.ts`).
 */
export type NamespaceEvent =
  | Fact<
      'MetadefNamespaceCreated',
      NamespaceAttributes & { claimId: string; definitions: Definitions }
    >
  | Fact<'MetadefNamespaceUpdated', { changes: readonly AttributeChange[] }>
  | Fact<'MetadefNamespaceRenamed', { from: string; to: string; claimId: string }>
  /** With `unloaded` the operator took it away, and the resource types that it brought go with it. */
  | Fact<'MetadefNamespaceDeleted', { unloaded?: true }>
  /** Somebody else wanted the name, and this claim had not led to anything. */
  | Fact<'MetadefNameClaimAbandoned', { claimId: string }>
  | DefinitionEvent;
