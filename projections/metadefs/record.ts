import type { Definition, Kind, NamespaceAttributes } from '../../domain/metadef/content.ts';

/** A definition, with when it came and when it last changed (ISO 8601, milliseconds). */
export interface Dated {
  readonly name: string;
  readonly definition: Definition;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A namespace as lists show it. */
export interface NamespaceSummary extends NamespaceAttributes {
  readonly id: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly associations: readonly Dated[];
}

/** Everything of a namespace, each kind in the order in which it came. */
export interface NamespaceRecord extends NamespaceSummary {
  readonly properties: readonly Dated[];
  readonly objects: readonly Dated[];
  readonly tags: readonly Dated[];
}

/** Where a record has the definitions of each kind. */
export const partOf = {
  association: 'associations',
  property: 'properties',
  object: 'objects',
  tag: 'tags',
} as const satisfies Record<Kind, keyof NamespaceRecord>;

/** A type of resource that some namespace was ever associated with. */
export interface ResourceType {
  readonly name: string;
  readonly createdAt: Date;
}
