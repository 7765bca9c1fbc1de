import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { isOfExport } from '../../domain/export/events.ts';
import type { ExportTarget } from '../../infra/config/export-targets.ts';
import type { Cursors, Reach } from '../../infra/export/cursors.ts';
import { Refused, type Sink } from '../../infra/export/sink.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { Log } from '../../infra/postgres/log.ts';
import { reasonOf } from '../reason.ts';
import { acknowledge, beginningOf } from './beginning.ts';
import { type RecordPorts, recordsOf } from './records.ts';

export interface ExportPorts extends RecordPorts {
  readonly log: Pick<EventLog, 'readAll' | 'readStream' | 'append' | 'head'>;
  readonly cursors: Cursors;
  readonly open: (target: ExportTarget) => Promise<Sink>;
  readonly logger: Log;
  readonly pace: ExportPace;
  readonly onExported: (target: string, records: number) => void;
}

export interface ExportPace {
  /** How often it is looked for what is new, and whether the turn is still ours. */
  readonly lookEveryMs: number;
  /** After the first failure; then twice as long each time, up to the longest, and up to half of that less by chance. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** The log is told how far a target is after so many records, … */
  readonly acknowledgeEvery: number;
  /** … or when there is one and the last time is so long ago. */
  readonly acknowledgeAfterMs: number;
}

export const usualPace: ExportPace = {
  lookEveryMs: 1_000,
  firstPauseMs: 500,
  longestPauseMs: 60_000,
  acknowledgeEvery: 10_000,
  acknowledgeAfterMs: 3_600_000,
};

/** Another has the target, or an operator has moved its cursor: whoever goes on reads it anew. */
class TurnOver extends Error {}

/**
 * Exports to one target for as long as the lease is ours, nobody moves its cursor, and `signal` does not abort:
 *
 *     read events above the cursor → wait for history → send → keep the cursor
 *          crash: read again                crash: sent again, with the same ids
 *
 * Nothing is passed over: what the target does not take is tried again until it does, or an operator says to skip it.
 */
export async function exportTo(
  target: ExportTarget,
  lease: Pick<Lease, 'tryHold'>,
  ports: ExportPorts,
  signal: AbortSignal,
): Promise<void> {
  const { log, cursors, pace, logger } = ports;
  const { claim, reach, error } = await cursors.claim(target.id, randomUUID(), () =>
    beginningOf(log, target),
  );
  let cursor = reach;
  let sink: Sink | undefined;
  let pauseMs = pace.firstPauseMs;
  /** Of what was refused together, each is sent alone until the one is found. */
  let alone = 0;
  /** Why it is held up, as the status shows it. */
  let said = error ?? '';
  /** Records since the log was told, without those that tell of exports, which would never end. */
  let unacknowledged = 0;
  let acknowledgedAt = performance.now();
  const hangUp = (): void => sink?.hangUp();
  signal.addEventListener('abort', hangUp, { once: true });
  const pause = (ms: number) => delay(ms, undefined, { signal }).catch(() => {});

  const requireOurs = async (): Promise<void> => {
    if (signal.aborted || !(await lease.tryHold()) || !(await cursors.isCurrent(claim)))
      throw new TurnOver();
  };

  const open = async (): Promise<Sink> => {
    const opened = await ports.open(target);
    sink = opened;
    cursor = opened.reach ?? cursor;
    await requireSameLog(log, cursor);
    return opened;
  };

  /** Whether there was anything to do. */
  const step = async (): Promise<boolean> => {
    const to = sink ?? (await open());
    const events = await ready(ports, cursor, alone > 0 ? 1 : to.most);
    const last = events.at(-1);
    if (last === undefined) {
      await to.idle();
      if (said !== '' && !(await cursors.save(claim, cursor))) throw new TurnOver();
      return false;
    }
    const records = await recordsOf(events, ports, target);
    try {
      await to.send(records);
    } catch (error) {
      if (!(error instanceof Refused) || records.length === 1) throw error;
      alone = records.length;
      return true;
    }
    alone = Math.max(0, alone - records.length);
    cursor = { position: last.position, eventId: last.id };
    if (!(await cursors.save(claim, cursor))) throw new TurnOver();
    ports.onExported(target.id, records.length);
    unacknowledged += events.filter(({ streamId }) => !isOfExport(streamId)).length;
    await acknowledgeIfDue();
    return true;
  };

  const acknowledgeIfDue = async (): Promise<void> => {
    const isLong = performance.now() - acknowledgedAt >= pace.acknowledgeAfterMs;
    if (unacknowledged < (isLong ? 1 : pace.acknowledgeEvery)) return;
    await acknowledge(log, target.id, cursor.position);
    [unacknowledged, acknowledgedAt] = [0, performance.now()];
  };

  const complain = async (error: unknown): Promise<void> => {
    if (signal.aborted) throw new TurnOver();
    const isRefused = error instanceof Refused;
    const reason = reasonOf(error).replaceAll(/\s*\n\s*/g, ' ');
    if (reason !== said)
      logger.warn({ err: error, target: target.id }, 'an audit export is held up; trying again');
    said = reason;
    await sink?.close().catch(() => {});
    sink = undefined;
    const refused = isRefused ? await nextAfter(log, cursor) : null;
    if (!(await cursors.failed(claim, cursor, { reason, refused }))) throw new TurnOver();
    await waitOut(pauseMs * (1 - Math.random() / 2));
    pauseMs = Math.min(2 * pauseMs, pace.longestPauseMs);
  };

  const waitOut = async (ms: number): Promise<void> => {
    for (const until = performance.now() + ms; performance.now() < until; await requireOurs())
      await pause(Math.min(pace.lookEveryMs, until - performance.now()));
  };

  try {
    for (;;) {
      await requireOurs();
      try {
        const hadWork = await step();
        pauseMs = pace.firstPauseMs;
        said = '';
        if (!hadWork) await pause(pace.lookEveryMs);
      } catch (error) {
        if (error instanceof TurnOver) throw error;
        await complain(error);
      }
    }
  } catch (error) {
    if (!(error instanceof TurnOver)) throw error;
  } finally {
    signal.removeEventListener('abort', hangUp);
    await sink?.close().catch(() => {});
  }
}

/** What lies above the cursor, as far as history has taken it in. */
async function ready(
  { log, history }: Pick<ExportPorts, 'log' | 'history'>,
  { position }: Reach,
  most: number,
): Promise<readonly RecordedEvent[]> {
  const events = await log.readAll(position, most);
  if (events.length === 0) return [];
  const upTo = await history.checkpoint();
  return events.filter((event) => event.position <= upTo);
}

/** A log that was set back to an older state gives positions again which the target has had from another. */
async function requireSameLog(
  log: Pick<EventLog, 'readAll' | 'head'>,
  { position, eventId }: Reach,
): Promise<void> {
  if (position === 0n) return;
  const head = await log.head();
  if (head < position)
    throw new Error(
      `the log ends at position ${head}, but ${position} was exported: an older state was restored; daguerre audit export rewind goes on from there`,
    );
  if (eventId === null) return;
  const [event] = await log.readAll(position - 1n, 1);
  if (event?.id !== eventId)
    throw new Error(
      `the event at position ${position} is not the one that was exported: another log was restored; daguerre audit export rewind goes on from there`,
    );
}

const nextAfter = async (
  log: Pick<EventLog, 'readAll'>,
  { position }: Reach,
): Promise<bigint | null> => (await log.readAll(position, 1))[0]?.position ?? null;
