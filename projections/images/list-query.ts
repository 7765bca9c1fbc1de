import type { MemberStatus, Visibility } from '../../domain/image/attributes.ts';
import type { Viewer } from '../../domain/image/visibility.ts';

export type SortKey =
  | 'name'
  | 'status'
  | 'container_format'
  | 'disk_format'
  | 'size'
  | 'id'
  | 'created_at'
  | 'updated_at';
export type Direction = 'asc' | 'desc';

/** One condition of a listing (reference, section 6.3); all of them must hold. */
export type Filter =
  | {
      readonly kind: 'one-of';
      readonly field: 'id' | 'name' | 'status' | 'container_format' | 'disk_format';
      readonly values: readonly string[];
    }
  | {
      readonly kind: 'text';
      readonly field: 'owner' | 'checksum' | 'os_hash_value' | 'os_hash_algo';
      readonly value: string;
    }
  | {
      readonly kind: 'number';
      readonly field: 'min_disk' | 'min_ram' | 'size' | 'virtual_size';
      readonly comparison: 'eq' | 'gte' | 'lte';
      readonly value: number;
    }
  | {
      readonly kind: 'time';
      readonly field: 'created_at' | 'updated_at';
      readonly comparison: 'gt' | 'gte' | 'lt' | 'lte' | 'eq' | 'neq';
      /** Whole seconds: what the API shows is what is compared. */
      readonly value: Date;
    }
  | { readonly kind: 'protected'; readonly value: boolean }
  | { readonly kind: 'tag'; readonly value: string }
  | { readonly kind: 'property'; readonly name: string; readonly value: string };

export interface ListQuery {
  readonly viewer: Viewer;
  readonly filters: readonly Filter[];
  /** Undefined: the default listing of section 5.2. */
  readonly visibility: Visibility | 'all' | undefined;
  /** Which shared images of others are in it: those that the viewer's project is a member of in this status. */
  readonly memberStatus: MemberStatus | 'all';
  readonly hidden: boolean;
  /** At least one key; `created_at` and `id` are already appended as tie-breakers. */
  readonly sort: readonly { readonly key: SortKey; readonly direction: Direction }[];
  /** Id of the last image of the page before. */
  readonly marker: string | undefined;
  /** 0 … 1000. */
  readonly limit: number;
}
