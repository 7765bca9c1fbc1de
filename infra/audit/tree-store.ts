import type { Pool } from 'pg';
import { type Tile, type TileName, tileWidth, widthOf } from '../../domain/audit/tiles.ts';
import { inTransaction, type Queryable } from '../read-model/generation.ts';
import { ensureAuditTree } from './migrations.ts';

/** How far the tree is: so many leaves, the last of them the event at `position`. */
export interface TreeReach {
  readonly size: number;
  readonly position: bigint;
}

/** A tile of leaves with the positions of their events. */
export interface LeafTile {
  readonly index: number;
  readonly hashes: Uint8Array;
  readonly positions: readonly bigint[];
}

export interface StoredTree extends TreeReach {
  /** The last tile of each level, from the leaves up. */
  readonly edge: readonly Tile[];
  /** Of the events in the last tile of leaves. */
  readonly positions: readonly bigint[];
}

/** The tree's tiles, which any process reads and one writes. */
export interface TreeStore {
  /** The empty tree where there is none; undefined where what is stored is not one tree. */
  load(): Promise<StoredTree | undefined>;
  reach(): Promise<TreeReach>;
  /** All or nothing, and only where the tree still has `before` leaves; tells whether it was so. */
  save(
    before: number,
    reach: TreeReach,
    tiles: readonly Tile[],
    leaves: Positions,
  ): Promise<boolean>;
  /** Those that are there. */
  tiles(names: readonly TileName[]): Promise<readonly Tile[]>;
  leafTile(index: number): Promise<LeafTile | undefined>;
  /** Of the events at these positions, the leaves that they are; undefined where the tree has none. */
  indexesOf(positions: readonly bigint[]): Promise<readonly (number | undefined)[]>;
  /** How many leaves are of events up to a position. */
  leavesUpTo(position: bigint): Promise<number>;
  /** Throws it all away: it is made again from the log. */
  drop(): Promise<void>;
}

/** Positions of the events of tiles of leaves, by the tile's index. */
export type Positions = ReadonlyMap<number, readonly bigint[]>;

const reachIn = async (db: Queryable): Promise<TreeReach> => {
  const { rows } = await db.query<{ size: bigint; position: bigint }>(
    'select size, position from audit_tree',
  );
  const [row] = rows;
  return { size: Number(row?.size ?? 0), position: row?.position ?? 0n };
};

const leafTileIn = async (db: Queryable, index: number): Promise<LeafTile | undefined> => {
  const { rows } = await db.query<{ hashes: Buffer; positions: Buffer }>(
    'select hashes, positions from audit_tiles where level = 0 and index = $1',
    [index],
  );
  const [row] = rows;
  return row === undefined
    ? undefined
    : { index, hashes: row.hashes, positions: positionsFrom(row.positions) };
};

export function postgresTreeStore(pool: Pool): TreeStore {
  return {
    reach: () => reachIn(pool),
    leafTile: (index) => leafTileIn(pool, index),

    async load() {
      await ensureAuditTree(pool);
      return inTransaction(pool, async (client) => {
        await client.query('set transaction isolation level repeatable read');
        const { size, position } = await reachIn(client);
        const { rows } = await client.query<{ level: number; index: bigint; hashes: Buffer }>(`
          select distinct on (level) level, index, hashes
          from audit_tiles
          order by level, index desc`);
        const edge = rows.map((row) => ({ ...row, index: Number(row.index) }));
        if (!isEdgeOf(edge, size)) return undefined;
        const leaves = edge[0] === undefined ? undefined : await leafTileIn(client, edge[0].index);
        const positions = leaves?.positions ?? [];
        return positions.at(-1) === (size === 0 ? undefined : position)
          ? { size, position, edge, positions }
          : undefined;
      });
    },

    save: (before, after, tiles, leaves) =>
      inTransaction(pool, async (client) => {
        // What a crash takes back, it takes back whole: the tree is gone on with from where it was.
        await client.query('set local synchronous_commit = off');
        const values = [before, after.size, String(after.position)];
        const moved = await client.query(
          before === 0
            ? {
                text: `
                  insert into audit_tree (size, position)
                  select $2::bigint, $3::bigint where $1::bigint = 0
                  on conflict (only_row) do nothing`,
                values,
              }
            : {
                text: 'update audit_tree set size = $2, position = $3 where size = $1',
                values,
              },
        );
        if (moved.rowCount !== 1) return false;
        const positions = tiles.map(({ level, index }) =>
          level === 0 ? (leaves.get(index) ?? []) : [],
        );
        await client.query(
          `
          insert into audit_tiles (level, index, hashes, positions, first_position)
          select * from unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[])
          on conflict (level, index) do update
          set hashes = excluded.hashes, positions = excluded.positions`,
          [
            tiles.map(({ level }) => level),
            tiles.map(({ index }) => index),
            tiles.map(({ hashes }) => Buffer.from(hashes)),
            positions.map((list) => (list.length === 0 ? null : positionBytes(list))),
            positions.map((list) => list[0]?.toString() ?? null),
          ],
        );
        return true;
      }),

    async tiles(names) {
      const { rows } = await pool.query<{ level: number; index: bigint; hashes: Buffer }>(
        `
        select t.level, t.index, t.hashes
        from unnest($1::smallint[], $2::bigint[]) as asked (level, index)
        join audit_tiles as t on t.level = asked.level and t.index = asked.index`,
        [names.map(({ level }) => level), names.map(({ index }) => index)],
      );
      return rows.map((row) => ({ ...row, index: Number(row.index) }));
    },

    async indexesOf(positions) {
      const { rows } = await pool.query<{ index: bigint; positions: Buffer }>(
        `
        select t.index, t.positions
        from unnest($1::bigint[]) with ordinality as asked (position, number)
        left join lateral (
          select index, positions from audit_tiles
          where level = 0 and first_position <= asked.position
          order by first_position desc
          limit 1
        ) as t on true
        order by asked.number`,
        [positions.map(String)],
      );
      return rows.map((row, number) => {
        if (row.index === null) return undefined;
        const at = positionsFrom(row.positions).indexOf(positions[number] ?? -1n);
        return at < 0 ? undefined : Number(row.index) * tileWidth + at;
      });
    },

    async leavesUpTo(position) {
      const { rows } = await pool.query<{ index: bigint; positions: Buffer }>(
        `
        select index, positions from audit_tiles
        where level = 0 and first_position <= $1
        order by first_position desc
        limit 1`,
        [String(position)],
      );
      const [row] = rows;
      if (row === undefined) return 0;
      const inTile = positionsFrom(row.positions).filter((one) => one <= position).length;
      return Number(row.index) * tileWidth + inTile;
    },

    async drop() {
      await pool.query('drop table if exists audit_tree, audit_tiles');
      await ensureAuditTree(pool);
    },
  };
}

/** Whether these can be the last tiles of a tree of a size: as wide as they must be, and none too many. */
function isEdgeOf(edge: readonly Tile[], size: number): boolean {
  let subtrees = size;
  for (let level = 0; subtrees > 0; level += 1) {
    const tile = edge[level];
    const last = Math.floor((subtrees - 1) / tileWidth);
    if (tile?.level !== level || tile.index !== last) return false;
    if (widthOf(tile.hashes) !== subtrees - last * tileWidth) return false;
    subtrees = Math.floor(subtrees / tileWidth);
    if (subtrees === 0) return edge.length === level + 1;
  }
  return edge.length === 0;
}

const positionWidth = 8;

function positionBytes(positions: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(positions.length * positionWidth);
  for (const [at, position] of positions.entries())
    bytes.writeBigInt64BE(position, at * positionWidth);
  return bytes;
}

const positionsFrom = (bytes: Buffer): readonly bigint[] =>
  Array.from({ length: bytes.length / positionWidth }, (_, at) =>
    bytes.readBigInt64BE(at * positionWidth),
  );
