import type { JsonObject } from '../json.ts';

export type NamespaceVisibility = 'public' | 'private';

/** What a client says of a namespace itself. */
export interface NamespaceAttributes {
  /** Its name: unique among all namespaces, and changeable. */
  readonly namespace: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly visibility: NamespaceVisibility;
  /** Nothing in a protected namespace can be deleted, nor the namespace. */
  readonly protected: boolean;
  /** Project id. */
  readonly owner: string | null;
}

/** What a namespace consists of. An association says that the namespace is for a type of resource. */
export const kinds = ['association', 'property', 'object', 'tag'] as const;
export type Kind = (typeof kinds)[number];

/**
 * One of them, by a name that is unique among its kind in its namespace; the other fields are those of the API
 * (reference, sections 19.2 to 19.5), absent where a client gave none.
 */
export type Definition = JsonObject & { readonly name: string };

/** In the order in which they came. */
export type Definitions = { readonly [Of in Kind]: readonly Definition[] };

export const noDefinitions: Definitions = { association: [], property: [], object: [], tag: [] };

export interface NamespaceContent {
  readonly attributes: NamespaceAttributes;
  readonly definitions: Definitions;
}

export const attributeFields = [
  'displayName',
  'description',
  'visibility',
  'protected',
  'owner',
] as const satisfies readonly (keyof NamespaceAttributes)[];

/** In characters: names of namespaces and of everything in them. */
export const maxNameLength = 80;
/** Of one kind in one namespace. */
export const maxDefinitions = 10_000;
/** Of everything in a namespace, in characters of JSON: it is read and written whole. */
export const maxNamespaceLength = 4 * 1024 * 1024;
