import type { JsonObject } from '../../domain/json.ts';
import type { Projection, Table } from '../projection.ts';
import type { DownloadRecord } from './downloads.ts';
import { type DownloadParts, downloadIdOf, fold } from './fold.ts';

export interface DownloadRow {
  readonly id: string;
  readonly image: string;
  readonly owner: string | null;
  readonly position: string | bigint | number;
  readonly begun_at: string | Date;
  readonly told_position: string | bigint | number;
  readonly told_at: string | Date;
  readonly ended: boolean;
  readonly lost: boolean;
  /** The rest of it, as JSON. */
  readonly record: string;
}

const downloadTable: Table<DownloadRecord> = {
  columns: {
    image: 'text not null',
    owner: 'text',
    actor: 'text not null',
    position: 'bigint not null',
    begun_at: 'timestamptz(3) not null',
    told_position: 'bigint not null',
    told_at: 'timestamptz(3) not null',
    ended: 'boolean not null',
    lost: 'boolean not null',
    record: 'text not null',
  },
  storage: 'fillfactor = 80',
  distinct: {},
  longest: { image: 1020, owner: 1020, actor: 1020 },
  indexes: {
    download_by_image: '(image, position)',
    download_by_owner: '(owner, position)',
    download_by_actor: '(actor, position)',
    download_by_position: '(position)',
    download_by_age: '(begun_at)',
    download_open: '(told_at) where not ended and not lost',
  },
  toJson({ id: _, imageId, owner, position, begunAt, toldPosition, toldAt, ended, lost, ...rest }) {
    const { actor } = rest.metadata;
    return {
      image: imageId,
      owner,
      actor: actor.kind === 'user' ? actor.userId : actor.part,
      position: String(position),
      begun_at: begunAt.toISOString(),
      told_position: String(toldPosition),
      told_at: toldAt.toISOString(),
      ended,
      lost,
      record: JSON.stringify(rest),
    } satisfies JsonObject;
  },
  fromJson: (json, id) => downloadFrom({ ...(json as unknown as DownloadRow), id }),
};

type Rest = Pick<
  DownloadRecord,
  'eventId' | 'metadata' | 'writer' | 'size' | 'hash' | 'asked' | 'sent'
>;

export const downloadFrom = (row: DownloadRow): DownloadRecord => ({
  ...(JSON.parse(row.record) as Rest),
  id: row.id,
  imageId: row.image,
  owner: row.owner,
  position: BigInt(row.position),
  begunAt: new Date(row.begun_at),
  toldPosition: BigInt(row.told_position),
  toldAt: new Date(row.told_at),
  ended: row.ended,
  lost: row.lost,
});

/** The read model behind `Downloads`: the view `downloads.download`. */
export const downloadsProjection: Projection<DownloadParts> = {
  name: 'downloads',
  version: 2,
  tables: { download: downloadTable },
  keyOf: downloadIdOf,
  // How one goes on and ends may be told in other streams, as their first event.
  begins: ({ type }) => type === 'DownloadBegun',
  fold,
};
