import type { Pool } from 'pg';
import type { DownloadPage, DownloadQuery, Downloads } from './downloads.ts';
import { type DownloadRow, downloadFrom } from './projection.ts';

/** A page ends with the download that passes this, in characters. */
const pageWeight = 4 * 1024 * 1024;
const mostSilent = 1_000;

interface Found extends Partial<DownloadRow> {
  readonly found: string;
}

export interface DownloadQueriesOptions {
  /** Those that began longer ago are not told of any more; 0 is never. */
  readonly keepDays?: number;
  /** For tests: see `pageWeight`. */
  readonly weight?: number;
}

/** Queries over the view `downloads.download`. */
export function downloadQueries(
  pool: Pool,
  { keepDays = 0, weight = pageWeight }: DownloadQueriesOptions = {},
): Downloads {
  return {
    async page(query): Promise<DownloadPage> {
      const { upTo, after, limit } = query;
      if (limit < 1) return { downloads: [], next: after };
      const { rows } = await pool.query<Found>(statement(query, keepDays, weight));
      const downloads = rows
        .filter((row): row is Found & DownloadRow => typeof row.id === 'string')
        .map(downloadFrom);
      const last = downloads.at(-1);
      const found = Number(rows[0]?.found ?? 0);
      const isCut = found === limit || downloads.length < found;
      return { downloads, next: isCut && last !== undefined ? last.position : upTo };
    },
    async silent(forMs) {
      const { rows } = await pool.query<DownloadRow>({
        name: 'downloads-silent',
        text: `
          select *
          from downloads.download
          where not ended and not lost and told_at < now() - make_interval(secs => $1::float8)
          order by told_at
          limit ${mostSilent}`,
        values: [forMs / 1_000],
      });
      return rows.map(downloadFrom);
    },
  };
}

/** Keys of as many as are wanted, and of those the rows, as many as weigh no more than a page may. */
function statement(
  { viewer, filter, after, upTo, limit }: DownloadQuery,
  keepDays: number,
  weight: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const add = (value: unknown): string => {
    values.push(value);
    return `$${values.length}`;
  };
  const { project, actor, image, from, to } = filter;
  const conditions = [
    `position > ${add(String(after))}::bigint`,
    `position <= ${add(String(upTo))}::bigint`,
    ...(viewer.seesAll
      ? []
      : [viewer.projectId === null ? 'false' : `owner = ${add(viewer.projectId)}::text`]),
    ...(project === undefined ? [] : [`owner = ${add(project)}::text`]),
    ...(actor === undefined ? [] : [`actor = ${add(actor)}::text`]),
    ...(image === undefined ? [] : [`image = ${add(image)}::text`]),
    ...(from === undefined ? [] : [`begun_at >= ${add(from)}::timestamptz`]),
    ...(to === undefined ? [] : [`begun_at <= ${add(to)}::timestamptz`]),
    ...(keepDays === 0 ? [] : [`begun_at > now() - make_interval(days => ${add(keepDays)}::int)`]),
  ];
  const text = `
    with found as materialized (
      select id, position, length(record) as weight
      from downloads.download
      where ${conditions.join('\n        and ')}
      order by position
      limit ${Math.trunc(limit)}
    ),
    chosen as (
      select id
      from (select id, weight, sum(weight) over (order by position) as until from found) as weighed
      where until - weight < ${add(weight)}::bigint
    )
    select whole.found::text, page.*
    from (select count(*) as found from found) as whole
      left join (
        select download.* from chosen join downloads.download using (id)
      ) as page on true
    order by page.position`;
  return { text, values };
}
