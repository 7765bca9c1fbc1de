import type { NamespaceVisibility } from '../../domain/metadef/content.ts';
import type { NamespaceRecord, NamespaceSummary, ResourceType } from './record.ts';

/** What is asked of the metadefs read model. Answers are as of the read model's checkpoint. */
export interface Metadefs {
  /** Undefined when no namespace has this name. Says nothing of who may see it. */
  show(name: string): Promise<NamespaceRecord | undefined>;
  /** One page; shorter than the limit when nothing follows. The marker must be one that the viewer sees. */
  list(query: NamespaceQuery): Promise<readonly NamespaceSummary[]>;
  /** By name. */
  resourceTypes(): Promise<readonly ResourceType[]>;
  /** Of every namespace, sorted; for the operator. */
  names(): Promise<readonly string[]>;
}

export const sortKeys = [
  'created_at',
  'updated_at',
  'id',
  'namespace',
  'display_name',
  'description',
  'visibility',
  'protected',
  'owner',
] as const;
export type SortKey = (typeof sortKeys)[number];
export type Direction = 'asc' | 'desc';

export interface NamespaceQuery {
  readonly viewer: { readonly projectId: string | null; readonly isAdmin: boolean };
  readonly visibility: NamespaceVisibility | undefined;
  /** Namespaces that are for one of these; undefined for all. */
  readonly resourceTypes: readonly string[] | undefined;
  /** What it leaves equal is sorted by `created_at` and `id`, in the same direction. */
  readonly sort: { readonly key: SortKey; readonly direction: Direction };
  /** Name of the last one of the page before. */
  readonly marker: string | undefined;
  readonly limit: number;
}
