import type { JsonObject } from '../../../domain/json.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import type { ImageSchema } from './image-schema.ts';
import { importProperties } from './import-properties.ts';
import { propertyValue } from './property-values.ts';

/** The property that tells the owner why an upload came to nothing. Its prefix is the server's own. */
const failureProperty = 'os_glance_failed_upload';

/** What a caller gets to see of images. */
export interface Reading {
  /** The same for callers to whom all images look alike; null where nobody knows. */
  readonly view: string | null;
  /** Whether a custom property is the caller's to read. */
  readonly isReadable: (property: string) => boolean;
  readonly schema: ImageSchema;
  /** Where its bytes are, as far as the caller may know. */
  readonly placesOf: (record: ImageRecord) => JsonObject;
}

/** An image as clients know it (reference, section 3.1): every base field, custom properties beside them. */
export function imageDocument(
  record: ImageRecord,
  { isReadable, placesOf, schema }: Reading,
): JsonObject {
  const failed = record.status === 'queued' && record.failure !== null;
  const properties = Object.entries(record.properties)
    .filter(([name]) => isReadable(name))
    .map(([name, text]) => [name, propertyValue(schema.schemaOf(name), text)] as const);
  return {
    ...Object.fromEntries(properties),
    ...(failed ? { [failureProperty]: record.failure } : {}),
    ...importProperties(record),
    id: record.id,
    name: record.name,
    status: record.status,
    visibility: record.visibility,
    owner: record.owner,
    protected: record.protected,
    os_hidden: record.hidden,
    disk_format: record.diskFormat,
    container_format: record.containerFormat,
    min_disk: record.minDisk,
    min_ram: record.minRam,
    size: record.size,
    virtual_size: record.virtualSize,
    checksum: record.checksum,
    os_hash_algo: record.hashAlgorithm,
    os_hash_value: record.hashValue,
    tags: record.tags,
    ...placesOf(record),
    created_at: timestamp(record.createdAt),
    updated_at: timestamp(record.updatedAt),
    self: `/v2/images/${record.id}`,
    file: `/v2/images/${record.id}/file`,
    schema: '/v2/schemas/image',
  };
}

/** Whole seconds, UTC. */
export const timestamp = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;
