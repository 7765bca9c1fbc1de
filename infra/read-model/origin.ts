import type { EventLog } from '../../domain/event-log.ts';
import type { Queryable } from './generation.ts';

/**
 * What tells one log from every other: the id of its first event, which no restore of a backup changes. Null for an empty
 * log, which is like any other empty one.
 */
export async function identityOf(log: Pick<EventLog, 'readAll'>): Promise<string | null> {
  const [first] = await log.readAll(0n, 1);
  return first?.id ?? null;
}

/**
 * Of a generation that was made while its log was empty, or by a release that did not keep this: which log it follows,
 * once there is an event to tell. Gives what is kept now.
 */
export async function keepOrigin(
  db: Queryable,
  number: number,
  log: Pick<EventLog, 'readAll'>,
): Promise<string | null> {
  const identity = await identityOf(log);
  if (identity === null) return null;
  await db.query(
    'update read_model.generation set log_id = $2 where number = $1 and log_id is null',
    [number, identity],
  );
  return identity;
}

/** Names of the live read models, of those given, that were made from another log. */
export async function madeFromOther(
  db: Queryable,
  log: Pick<EventLog, 'readAll'>,
  models: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await db.query<{ model: string }>(
    `
    select model
    from read_model.generation
    where state = 'live' and model = any ($2) and log_id is not null and log_id is distinct from $1
    order by model`,
    [await identityOf(log), models],
  );
  return rows.map(({ model }) => model);
}

/**
 * Marks the live generation of another log as void, before one of this log takes its place: queries keep it until then,
 * writers do not, and no position of it counts.
 */
export async function voidOther(
  db: Queryable,
  model: string,
  identity: string | null,
): Promise<void> {
  await db.query(
    `
    update read_model.generation
    set position = 0, version = 0
    where model = $1 and state = 'live' and log_id is not null and log_id is distinct from $2`,
    [model, identity],
  );
}
