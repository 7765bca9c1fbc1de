import type { JsonObject } from '../../domain/json.ts';
import { copyName } from '../../domain/store.ts';
import type { Projection, Table } from '../projection.ts';
import {
  fold,
  type Gathered,
  type ImageParts,
  type ImageRow,
  imageIdOf,
  type Kept,
} from './fold.ts';
import { membersFrom, shareKeys } from './members.ts';
import type { ImageRecord, Work } from './record.ts';

/** Column of each field, in the order in which queries read them. */
export const columnOf = {
  id: 'id',
  name: 'name',
  status: 'status',
  visibility: 'visibility',
  owner: 'owner',
  protected: 'protected',
  hidden: 'hidden',
  diskFormat: 'disk_format',
  containerFormat: 'container_format',
  size: 'size',
  virtualSize: 'virtual_size',
  checksum: 'checksum',
  hashAlgorithm: 'hash_algorithm',
  hashValue: 'hash_value',
  minDisk: 'min_disk',
  minRam: 'min_ram',
  tags: 'tags',
  properties: 'properties',
  members: 'members',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  locations: 'locations',
  imports: 'imports',
  failure: 'failure',
} as const satisfies Record<keyof ImageRecord, string>;

const fields = Object.entries(columnOf) as readonly [keyof ImageRecord, string][];

export const recordFields: readonly (keyof ImageRecord)[] = fields.map(([field]) => field);

/**
 * Always true. Listings across tenants state it and the others do not: else the planner may walk everybody's images in
 * search of the few that one tenant has.
 */
export const ofAllTenants = 'min_disk >= 0';

/** `created_at` and `updated_at` hold what the log's clock gave, in milliseconds: sorting needs more than the API shows. */
const imageTable: Table<ImageRow> = {
  columns: {
    name: 'text',
    status: 'text not null',
    visibility: 'text not null',
    owner: 'text',
    protected: 'boolean not null',
    hidden: 'boolean not null',
    disk_format: 'text',
    container_format: 'text',
    size: 'bigint',
    virtual_size: 'bigint',
    checksum: 'text',
    hash_algorithm: 'text',
    hash_value: 'text',
    min_disk: 'integer not null',
    min_ram: 'integer not null',
    tags: 'jsonb not null',
    properties: 'jsonb not null',
    members: 'jsonb not null',
    created_at: 'timestamptz(3) not null',
    updated_at: 'timestamptz(3) not null',
    locations: 'jsonb not null',
    imports: 'jsonb',
    failure: 'text',
    shared_with: 'jsonb',
    store_keys: 'text[]',
    gathered: 'jsonb',
  },
  // Room on each page for the updates of a status: they touch no indexed column, so no index is written.
  storage: 'fillfactor = 80',
  // One tenant may own most images, one name may be everywhere: their listings must not be collected and sorted.
  distinct: { owner: 20, name: 1000 },
  // 255 characters, of up to four bytes each; together within the 2704 bytes of an index entry.
  longest: { owner: 1020, name: 1020 },
  indexes: {
    image_by_kind: `(visibility, created_at, id) where ${ofAllTenants}`,
    image_by_owner: '(owner, visibility, created_at, id)',
    image_by_hidden: '(created_at, id) where hidden',
    image_by_name: '(name, created_at, id)',
    image_by_store_key:
      'using gin (store_keys) with (fastupdate = off) where store_keys is not null',
    image_by_property: 'using gin (properties jsonb_path_ops) with (fastupdate = off)',
    image_by_tag: 'using gin (tags jsonb_path_ops) with (fastupdate = off)',
    image_by_member:
      'using gin (shared_with jsonb_path_ops) with (fastupdate = off) where shared_with is not null',
  },
  toJson(image) {
    const json: Record<string, unknown> = {
      shared_with: shareKeys(image),
      store_keys: storeKeys(image),
      gathered: image.gathered,
    };
    // What is null is left out: that is a third of the columns of a new image, for Postgres to read.
    for (const [field, column] of fields) if (image[field] !== null) json[column] = image[field];
    return json as JsonObject;
  },
  fromJson(json) {
    const image: Record<string, unknown> = {};
    for (const [field, column] of fields) image[field] = json[column] ?? null;
    return {
      ...(image as unknown as ImageRecord),
      members: membersFrom(json.members as readonly JsonObject[]),
      createdAt: new Date(json.created_at as string),
      updatedAt: new Date(json.updated_at as string),
      gathered: (json.gathered ?? null) as Gathered | null,
    };
  },
};

/** Copies that we stored, as the sweeper asks for them; null while there are none. */
const storeKeys = ({ locations }: ImageRow): readonly string[] | null => {
  const keys = locations.flatMap(({ store, key, ours }) => (ours ? [copyName(store, key)] : []));
  return keys.length === 0 ? null : keys;
};

const keptTable: Table<Kept> = {
  columns: { image: 'jsonb not null', store_keys: 'text[]', due: 'timestamptz(3) not null' },
  storage: 'fillfactor = 90',
  distinct: {},
  longest: {},
  indexes: { kept_by_store_key: 'using gin (store_keys) with (fastupdate = off)' },
  toJson: ({ image, due }) => ({
    image: imageTable.toJson(image),
    store_keys: storeKeys(image),
    due: due.toISOString(),
  }),
  fromJson: (json, imageId) => ({
    image: imageTable.fromJson({ ...(json.image as JsonObject), id: imageId }, imageId),
    due: new Date(json.due as string),
  }),
};

const workTable: Table<Work> = {
  columns: {
    kind: 'text not null',
    upload_id: 'text',
    owner: 'text',
    epoch: 'integer not null',
    position: 'bigint not null',
    since: 'timestamptz(3) not null',
    due: 'timestamptz(3)',
    correlation_id: 'text not null',
  },
  // Every row comes and goes within seconds: without this, dead rows would outnumber the living by far.
  storage: 'autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000',
  distinct: {},
  longest: {},
  indexes: {
    work_by_position: '(position) where due is null',
    work_by_due: '(due) where due is not null',
  },
  toJson: ({ kind, uploadId, owner, epoch, position, since, due, correlationId }) => ({
    kind,
    upload_id: uploadId,
    owner,
    epoch,
    position: String(position),
    since: since.toISOString(),
    due: due?.toISOString() ?? null,
    correlation_id: correlationId,
  }),
  fromJson: (json, imageId) => ({
    imageId,
    kind: json.kind as Work['kind'],
    uploadId: json.upload_id as string | null,
    owner: json.owner as string | null,
    epoch: json.epoch as number,
    position: BigInt(json.position as number),
    since: new Date(json.since as string),
    due: json.due === null ? null : new Date(json.due as string),
    correlationId: json.correlation_id as string,
  }),
};

/** The read model behind `Images`: views `images.image`, `images.work` and `images.kept`. */
export const imagesProjection: Projection<ImageParts> = {
  name: 'images',
  version: 6,
  tables: { image: imageTable, work: workTable, kept: keptTable },
  keyOf: imageIdOf,
  fold,
};
