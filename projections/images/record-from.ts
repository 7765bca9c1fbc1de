import type { Visibility } from '../../domain/image/attributes.ts';
import type { Location } from '../../domain/image/state.ts';
import { membersFrom } from './members.ts';
import { columnOf } from './projection.ts';
import type { ImageRecord, ImageStatus, Imports } from './record.ts';

/** One row as Postgres writes it, in the order of the columns asked for. */
export type Values = readonly (string | null)[];

/** What to select for `recordFrom`. Times travel as milliseconds, which need no parsing. */
export const recordColumns = Object.values(columnOf)
  .map((column) =>
    column === 'created_at' || column === 'updated_at'
      ? `(extract(epoch from ${column}) * 1000)::bigint`
      : column,
  )
  .join(', ');

export function recordFrom(values: Values): ImageRecord {
  const [
    id,
    name,
    status,
    visibility,
    owner,
    isProtected,
    hidden,
    diskFormat,
    containerFormat,
    size,
    virtualSize,
    checksum,
    hashAlgorithm,
    hashValue,
    minDisk,
    minRam,
    tags,
    properties,
    members,
    createdAt,
    updatedAt,
    locations,
    imports,
    failure,
  ] = values;
  return {
    id: String(id),
    name: name ?? null,
    status: status as ImageStatus,
    visibility: visibility as Visibility,
    owner: owner ?? null,
    protected: isProtected === 't',
    hidden: hidden === 't',
    diskFormat: diskFormat ?? null,
    containerFormat: containerFormat ?? null,
    size: size == null ? null : Number(size),
    virtualSize: virtualSize == null ? null : Number(virtualSize),
    checksum: checksum ?? null,
    hashAlgorithm: hashAlgorithm ?? null,
    hashValue: hashValue ?? null,
    minDisk: Number(minDisk),
    minRam: Number(minRam),
    tags: JSON.parse(tags ?? '[]') as string[],
    properties: JSON.parse(properties ?? '{}') as Record<string, string>,
    members: membersFrom(JSON.parse(members ?? '[]')),
    createdAt: new Date(Number(createdAt)),
    updatedAt: new Date(Number(updatedAt)),
    locations: JSON.parse(locations ?? '[]') as Location[],
    imports: JSON.parse(imports ?? 'null') as Imports | null,
    failure: failure ?? null,
  };
}
