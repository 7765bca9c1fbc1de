import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { NotYetVisible } from '../../projections/images/images.ts';
import type { Listener } from '../postgres/listen.ts';
import { listener } from '../postgres/listen.ts';
import type { Log } from '../postgres/log.ts';
import { ensureHolders, isDropped } from './migrations.ts';
import { type Holder, type HolderTimes, others, usualTimes } from './others.ts';

/**
 * Lets this process answer from memory, and has those that answer a success wait for every process that does. A holder
 * says in Postgres, a few times a second, that it lives and how much of the log it has heard. Whoever has appended waits
 * until each holder has heard of it, or has been seen to stand still for longer than a holder trusts its own last beat.
 *
 *     joining   a row, and nothing is answered from memory until every writer must have seen it
 *     current   its last beat is young, and it has heard what the read model has: answers from memory count
 *     resigned  it could not say that it lives, or fell behind the log: it says so if it can, and joins anew, in the
 *               second case when it has caught up. Meanwhile others have answered without it
 */
export interface NearHolder {
  /** Whether an answer from memory counts at this moment. */
  isCurrent(): boolean;
  /** This process has taken in the log up to here. */
  heard(position: bigint): void;
  /** Resolves once no process answers from memory what `position` has changed. Rejects with `NotYetVisible`. */
  waitFor(position: bigint, timeoutMs: number): Promise<void>;
  /** Nobody waits for this process from here on. */
  stop(): Promise<void>;
}

export interface NearHolderOptions {
  readonly owner: string;
  /** The read model whose answers are kept. */
  readonly model: string;
  /** What has been heard before. */
  readonly heard: bigint;
  /** Whether this process answers from memory at all; it waits for others in any case. */
  readonly holds: boolean;
  /** Another generation of the read model is live: it may answer otherwise without any event. */
  readonly onSwap: () => void;
  readonly log: Log;
  readonly times?: HolderTimes;
}

const channel = 'near_heard';

type Row = Readonly<Record<keyof Holder | 'reached' | 'generation', string | bigint>>;

export function nearHolder(
  pool: Pool,
  postgresUrl: string,
  options: NearHolderOptions,
): NearHolder {
  const { owner, model, holds, onSwap, log, times = usualTimes } = options;
  const { beatMs, trustMs, settleMs } = times;
  const known = others(times);
  const stopping = new AbortController();
  let heard = options.heard;
  let told = -1n;
  /** When this process may answer from memory: from `since`, until `until`, both by its own clock. */
  let since = Number.POSITIVE_INFINITY;
  let until = Number.NEGATIVE_INFINITY;
  let joined = false;
  /** What this process has to have heard before it joins: others wait for whoever has joined. */
  let joinsAt = 0n;
  /** What the read model had at the beat before: not to have heard it by now is to fall behind. */
  let mustHear: bigint | undefined;
  let generation: string | bigint | undefined;
  let telling: Promise<void> | undefined;
  let listening: Listener | undefined;
  let wake: (() => void)[] = [];

  const changed = (): void => {
    const woken = wake;
    wake = [];
    for (const go of woken) go();
  };

  const resign = (): void => {
    joined = false;
    since = Number.POSITIVE_INFINITY;
    until = Number.NEGATIVE_INFINITY;
    mustHear = undefined;
  };

  /** A beat of ours and a look at the others, in one statement. */
  const beat = async (): Promise<void> => {
    const began = performance.now();
    const { rows } = await pool.query<Row>({
      name: 'near-beat',
      text: beatText,
      values: [owner, heard, model, joined],
    });
    const now = performance.now();
    known.take(rows.filter((row) => row.owner !== owner).map(holderFrom), began, now);
    if (known.living(now).length > 0) listen();
    changed();
    const own = rows.find((row) => row.owner === owner);
    if (own === undefined || hasLapsed(now)) return resign();
    if (generation !== own.generation) onSwap();
    generation = own.generation;
    if (began < since) return;
    const before = mustHear;
    mustHear = BigInt(own.reached);
    if (before === undefined) return;
    if (before <= heard) until = began + trustMs;
    else await giveUp(before);
  };

  /** Others may have ceased to wait for this process. */
  const hasLapsed = (now: number): boolean => Number.isFinite(until) && until <= now;

  const giveUp = async (notHeard: bigint): Promise<void> => {
    resign();
    joinsAt = notHeard;
    await pool.query({ name: 'near-resign', text: resignText, values: [owner] });
  };

  const join = async (): Promise<void> => {
    await pool.query({ name: 'near-join', text: joinText, values: [owner, heard] });
    joined = true;
    since = performance.now() + settleMs;
  };

  const live = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        if (holds && !joined && heard >= joinsAt) await join();
        await beat();
      } catch (error) {
        if (stopping.signal.aborted) break;
        log.warn({ err: error }, 'cannot say that answers are kept in memory');
        if (isDropped(error)) await ensureHolders(pool).catch(() => {});
      }
      await delay(beatMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };

  const listen = (): void => {
    listening ??= listener(
      postgresUrl,
      [channel],
      (_, payload) => {
        const [who = '', position = ''] = payload.split(' ');
        if (who === owner || !/^\d+$/.test(position)) return;
        known.heard(who, BigInt(position));
        changed();
      },
      { log },
    );
  };

  /** Others that answer a success wait for this: it is told at once, one telling at a time. */
  const tell = (): void => {
    if (telling !== undefined || !joined || told >= heard) return;
    if (known.living(performance.now()).length === 0) return;
    const position = heard;
    telling = pool
      .query({ name: 'near-tell', text: tellText, values: [`${owner} ${position}`] })
      .then(() => {
        told = position;
      })
      .catch((error) => log.warn({ err: error }, 'cannot say what was heard'))
      .then(() => {
        telling = undefined;
        if (told === position) tell();
      });
  };

  const isCurrent = (): boolean => {
    const now = performance.now();
    return since <= now && now < until;
  };

  /** Whether a success may be answered for `position` now; undefined where nobody has looked lately. */
  const isHeard = (position: bigint): boolean | undefined => {
    const now = performance.now();
    if (!known.isFresh(now)) return undefined;
    return (heard >= position || !joined) && known.allHeard(position, now);
  };

  const living = live();

  return {
    isCurrent,
    heard(position) {
      if (position <= heard) return;
      heard = position;
      changed();
      tell();
    },
    async waitFor(position, timeoutMs) {
      const deadline = performance.now() + timeoutMs;
      while (isHeard(position) !== true) {
        if (performance.now() >= deadline || stopping.signal.aborted)
          throw new NotYetVisible(position);
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, lookAgainMs);
          wake.push(() => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    },
    async stop() {
      stopping.abort();
      resign();
      await living;
      await telling;
      // Not deleted: others wait for whoever is absent, and forget whoever has resigned.
      await pool.query({ name: 'near-resign', text: resignText, values: [owner] }).catch(() => {});
      await listening?.close();
    },
  };
}

/** For who has seen a process end, as its parent does: nobody need wait until it is seen to stand still. */
export async function certifyHolderDeath(pool: Pool, owner: string): Promise<void> {
  await pool.query({ name: 'near-resign', text: resignText, values: [owner] });
}

const lookAgainMs = 50;

const holderFrom = (row: Row): Holder => ({
  owner: String(row.owner),
  beat: BigInt(row.beat),
  heard: BigInt(row.heard),
});

/** A row of ours tells nothing that must outlive a crash: only joining waits for the disk. */
const relaxed = `set_config('synchronous_commit', 'off', true)`;

const beatText = `
  with beaten as (
    update near_holders
    set beat = greatest(beat + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint), heard = $2, beaten_at = now()
    where owner = $1 and beat >= 0 and $4
    returning owner, beat, heard, ${relaxed}
  )
  select owner, beat, heard, coalesce(position, 0) as reached, coalesce(number, 0) as generation
  from (
    select owner, beat, heard from beaten
    union all
    select owner, beat, heard from near_holders where owner <> $1
  ) as holder
  left join read_model.generation on model = $3 and state = 'live'`;

const joinText = `
  with forgotten as (
    delete from near_holders where owner <> $1 and beaten_at < now() - interval '1 hour'
  )
  insert into near_holders (owner, beat, heard) values ($1, 0, $2)
  on conflict (owner) do update
  set beat = 0, heard = excluded.heard, beaten_at = now()`;

const resignText = `update near_holders set beat = -1 where owner = $1`;
const tellText = `select pg_notify('${channel}', $1), ${relaxed}`;
