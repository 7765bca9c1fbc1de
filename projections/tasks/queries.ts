import type { Pool } from 'pg';
import { columnOf } from './projection.ts';
import type { TaskRecord, TaskRow } from './record.ts';
import { isSeenBy, type SortKey, TaskMarkerUnknown, type TaskQuery, type Tasks } from './tasks.ts';

type Columns = { readonly [Field in keyof TaskRow as (typeof columnOf)[Field]]: TaskRow[Field] };
type Row = Columns & { readonly expires_at: Date | null };

const columns = Object.values(columnOf).join(', ');

/** Queries over the view of the read model. A task is shown for `timeToLiveMs` after its end, by the database's clock. */
export function taskQueries(pool: Pool, { timeToLiveMs }: { timeToLiveMs: number }): Tasks {
  /** `$1` of every statement is the time to live. */
  const rows = async (
    rest: string,
    values: readonly unknown[],
    name?: string,
  ): Promise<readonly TaskRecord[]> => {
    const query = { text: `${selected} and ${rest}`, values: [timeToLiveMs, ...values] };
    const result = await pool.query<Row>(name === undefined ? query : { name, ...query });
    return result.rows.map(recordFrom);
  };
  const show = async (taskId: string): Promise<TaskRecord | undefined> =>
    (await rows('id = $2', [taskId], 'tasks-show'))[0];

  return {
    show,
    async list(query) {
      const { marker, viewer } = query;
      const last = marker === undefined ? undefined : await show(marker);
      if (marker !== undefined && (last === undefined || !isSeenBy(last, viewer)))
        throw new TaskMarkerUnknown(marker);
      const { text, values } = pageStatement(query, last);
      return rows(text, values);
    },
    ofImage: (imageId, { isAdmin, projectId }) =>
      rows(
        'image_id = $2 and ($3 or owner = $4) order by created_at desc, id desc',
        [imageId, isAdmin, projectId],
        'tasks-of-image',
      ),
  };
}

const life = `$1::float8 * interval '1 millisecond'`;
const selected = `
  select ${columns}, ended_at + ${life} as expires_at
  from tasks.task
  where (ended_at is null or ended_at > now() - ${life})`;

/** Nothing is null in what is sorted by, so that rows compare. */
const sortedBy = {
  id: 'id',
  type: 'type',
  status: 'status',
  owner: `coalesce(owner, '')`,
  created_at: 'created_at',
  updated_at: 'updated_at',
} as const satisfies Record<SortKey, string>;

export const sortValue: Readonly<Record<SortKey, (task: TaskRow) => string | Date>> = {
  id: ({ id }) => id,
  type: ({ type }) => type,
  status: ({ status }) => status,
  owner: ({ owner }) => owner ?? '',
  created_at: ({ createdAt }) => createdAt,
  updated_at: ({ updatedAt }) => updatedAt,
};

/** One page by keyset: what lies behind the last task of the page before, never an offset. */
function pageStatement(
  { viewer, status, type, sort, limit }: TaskQuery,
  last: TaskRow | undefined,
): { readonly text: string; readonly values: readonly unknown[] } {
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given) + 1}`;
  const keys = [...new Set<SortKey>([sort.key, 'created_at', 'id'])];
  const list = keys.map((key) => sortedBy[key]).join(', ');
  const behind = sort.direction === 'asc' ? '>' : '<';
  const conditions = [
    viewer.isAdmin ? 'true' : `owner = ${value(viewer.projectId)}`,
    ...(status === undefined ? [] : [`status = ${value(status)}`]),
    ...(type === undefined ? [] : [`type = ${value(type)}`]),
    ...(last === undefined
      ? []
      : [`(${list}) ${behind} (${keys.map((key) => value(sortValue[key](last))).join(', ')})`]),
  ];
  const order = keys.map((key) => `${sortedBy[key]} ${sort.direction}`).join(', ');
  return {
    text: `${conditions.join(' and ')} order by ${order} limit ${value(limit)}`,
    values,
  };
}

const recordFrom = (row: Row): TaskRecord => ({
  id: row.id,
  type: row.type,
  status: row.status,
  imageId: row.image_id,
  owner: row.owner,
  userId: row.user_id,
  requestId: row.request_id,
  input: row.input,
  result: row.result,
  message: row.message,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  endedAt: row.ended_at,
  expiresAt: row.expires_at,
});
