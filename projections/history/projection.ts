import type { JsonObject } from '../../domain/json.ts';
import { positionKey } from '../events/projection.ts';
import { imagesProjection, ofAllTenants } from '../images/projection.ts';
import type { Journal, Projection, Table } from '../projection.ts';
import { changeRow } from './change.ts';
import { fold, type HistoryParts, historyKeyOf, type Version } from './fold.ts';
import { subjectTable } from './subject.ts';

const { image: live } = imagesProjection.tables;

const { store_keys: _, gathered, ...shown } = live.columns;
/** What there is no column for is no part of the JSON. Left out so, for this is the hottest place of a rebuild. */
const unshown = { store_keys: undefined };

/**
 * Images as they are, each since when. With the indexes of the read model of images, and the position behind each, so
 * that images which are too new are passed over without a look at their rows.
 */
const imageTable: Table<Version> = {
  ...live,
  columns: { ...shown, gathered: gathered ?? 'jsonb', from_position: 'bigint not null' },
  indexes: {
    image_by_kind: `(visibility, created_at, id, from_position) where ${ofAllTenants}`,
    image_by_owner: '(owner, visibility, created_at, id, from_position)',
    image_by_hidden: '(created_at, id) where hidden',
    image_by_name: '(name, created_at, id)',
    image_by_begin: '(from_position)',
    image_by_property: 'using gin (properties jsonb_path_ops) with (fastupdate = off)',
    image_by_tag: 'using gin (tags jsonb_path_ops) with (fastupdate = off)',
    image_by_member:
      'using gin (shared_with jsonb_path_ops) with (fastupdate = off) where shared_with is not null',
  },
  toJson: (version) =>
    Object.assign(live.toJson(version), { ...unshown, from_position: String(version.from) }),
  fromJson: (json, key) => ({
    ...live.fromJson(json, key),
    from: BigInt(json.from_position as number),
  }),
};

/**
 * Images as they were, from one position on and up to another: written once, when a version ends. Those of one image lie
 * together, by their beginnings.
 */
const pastJournal: Journal<HistoryParts> = {
  columns: {
    image: 'text not null',
    from_position: 'bigint not null',
    to_position: 'bigint not null',
    ...shown,
  },
  storage: 'autovacuum_analyze_scale_factor = 0.05',
  distinct: live.distinct,
  longest: live.longest,
  indexes: {
    past_by_span: `using gist (${span()})`,
    past_by_kind: `(visibility, created_at, image, to_position, from_position) where ${ofAllTenants}`,
    past_by_owner: '(owner, visibility, created_at, image, to_position, from_position)',
    past_by_name: '(name, created_at, image)',
    past_by_property: 'using gin (properties jsonb_path_ops)',
    past_by_tag: 'using gin (tags jsonb_path_ops)',
    past_by_member: 'using gin (shared_with jsonb_path_ops) where shared_with is not null',
  },
  rows({ image }, event, after) {
    if (image === undefined || after.image?.from === image.from) return [];
    const id = `${image.id}/${positionKey(image.from)}`;
    const to_position = String(event.position);
    const more = { id, image: image.id, to_position, gathered: undefined };
    return [Object.assign(imageTable.toJson(image), more)];
  },
};

/** From its first position to the last before the next. */
export function span(): string {
  return 'int8range(from_position, to_position)';
}

/** Every event that history tells, by its position. */
const changeJournal: Journal<HistoryParts> = {
  columns: {
    kind: 'text not null',
    object: 'text',
    name: 'text',
    type: 'text not null',
    at: 'timestamptz(3) not null',
    actor: 'text not null',
    project: 'text',
    former: 'text',
    inside: 'boolean not null',
    refused: 'boolean not null',
    weight: 'integer not null',
    event: 'json not null',
  },
  storage: 'autovacuum_analyze_scale_factor = 0.05',
  distinct: {},
  longest: { object: 1020, name: 1020, actor: 1020, project: 1020, former: 1020 },
  indexes: {
    change_by_object: '(object, id)',
    change_by_project: '(project, id)',
    change_by_former: '(former, id) where former is not null',
    change_by_actor: '(actor, id)',
    change_by_time: '(at, id)',
    change_refused: '(id) where refused',
    change_by_name: '(name) where name is not null',
  },
  rows(entry, event, after) {
    const row = changeRow(entry, event, after);
    return row === undefined ? [] : [row as unknown as JsonObject];
  },
};

/** The read model behind `History` and `PastImages`: views `history.change`, `.image`, `.past` and `.subject`. */
export const historyProjection: Projection<HistoryParts> = {
  name: 'history',
  // Images are folded by their own read model's fold: where that changes, versions do.
  version: 1000 * imagesProjection.version + 3,
  tables: { image: imageTable, subject: subjectTable },
  journals: { past: pastJournal, change: changeJournal },
  keyOf: historyKeyOf,
  fold,
};
