import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog } from '../../domain/event-log.ts';
import type { Access } from '../../domain/image/access.ts';
import { ours } from '../../domain/webhook/commands.ts';
import type { DisabledReason } from '../../domain/webhook/events.ts';
import {
  attemptsAt,
  type Due,
  delivered,
  failed,
  nextDueAt,
  type Progress,
  resumed,
  roomIn,
  type Saved,
  savedOf,
  startable,
  startingAt,
  taken,
} from '../../domain/webhook/progress.ts';
import { retryDelayMs } from '../../domain/webhook/schedule.ts';
import { isPresent, type PresentWebhook } from '../../domain/webhook/state.ts';
import { bell } from '../../infra/event-log/bell.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Poster } from '../../infra/webhooks/post.ts';
import {
  type Attempt,
  isDelivered,
  type Kept,
  type ProgressStore,
} from '../../infra/webhooks/progress-store.ts';
import type { Vault } from '../../infra/webhooks/vault.ts';
import type { Events } from '../../projections/events/events.ts';
import type { Fact, Recent } from '../gateway/events/recent.ts';
import { factsFor } from './facts.ts';
import { actingPart, type HandleWebhooks } from './handle.ts';
import { readerOf } from './reader.ts';
import type { Slots } from './slots.ts';
import { keysOf, type Told, tell } from './tell.ts';

export interface DeliveryPace {
  /** Facts that one endpoint is looked after at once: see `progress.ts`. */
  readonly window: number;
  /** Requests under way to one endpoint. */
  readonly concurrency: number;
  /** From each failed attempt to the next. */
  readonly retrySeconds: readonly number[];
  /** An endpoint that does not take a fact for so long is disabled. */
  readonly disableAfterMs: number;
  /** The log is told how far an endpoint is after so many deliveries, … */
  readonly acknowledgeEvery: number;
  /** … or when one is as old as this. */
  readonly acknowledgeAfterMs: number;
}

export const usualPace = {
  window: 1_000,
  concurrency: 16,
  acknowledgeEvery: 500,
  acknowledgeAfterMs: 600_000,
} as const;

export interface DeliveryPorts {
  readonly log: Pick<EventLog, 'head'>;
  readonly webhooks: HandleWebhooks;
  readonly events: Events;
  readonly recent: Recent;
  readonly region: string;
  readonly imageAccess: Pick<Access, 'ruleAgainst'>;
  readonly vault: Vault;
  readonly poster: Pick<Poster, 'post'>;
  readonly progress: Pick<ProgressStore, 'claim' | 'save'>;
  readonly slots: Slots;
  readonly logger: Logger;
  readonly pace: DeliveryPace;
  /** Of each attempt; `ageSeconds` is how long ago the log took the fact. */
  readonly onAttempt: (attempt: Attempt, ageSeconds: number) => void;
}

interface Waiting extends Due {
  readonly fact: Fact;
}

/** Documents that wait in memory for one endpoint, in characters. */
const mostWeight = 8 * 1024 * 1024;
/** Attempts whose outcome is not kept yet. */
const mostUnsaved = 500;
const idleMs = 1_000;
/** How often it is kept how far was looked, where nothing was to be told. */
const lookedMs = 5_000;
const saveAgainMs = 500;
/** For requests that are under way at the end. */
const graceMs = 3_000;

/**
 * Tells one endpoint what happens, until the signal aborts, the endpoint is disabled, or another process has taken it
 * over. Resolves when nothing is under way any more. What a crash takes is when a fact was delivered, never a fact:
 *
 *     read facts above `scanned` → send → 2xx → keep the progress → now and then `DeliveriesAcknowledged`
 *           crash: read again      crash before the progress is kept: sent again, under the same `webhook-id`
 *
 * Progress that was kept counts only above what the log has acknowledged, and below the log's head; where it is lost or
 * of before a move by hand, the log's word is where it begins.
 */
export async function deliverTo(
  webhookId: string,
  ports: DeliveryPorts,
  signal: AbortSignal,
): Promise<void> {
  const state = await ports.webhooks.read(webhookId);
  if (!isPresent(state) || state.status !== 'enabled') return;
  const keys = await keysOf(ports.vault, state.secrets);
  const owner = randomUUID();
  const leave = await ports.recent.join();
  try {
    const kept = await claimed(webhookId, owner, state, ports);
    await run({ webhookId, owner, state, keys, kept }, ports, signal);
  } finally {
    leave();
  }
}

async function claimed(
  webhookId: string,
  owner: string,
  state: PresentWebhook,
  { log, progress }: DeliveryPorts,
): Promise<Kept> {
  const head = await log.head();
  const { moves, revivals } = state;
  const acknowledged = BigInt(state.delivered);
  const saved = startingAt(acknowledged < head ? acknowledged : head);
  const otherwise: Kept = { moves, revivals, saved, unacknowledged: 0 };
  const kept = await progress.claim(webhookId, owner, otherwise);
  if (kept.moves !== moves || kept.saved.cursor > head || kept.saved.cursor < saved.cursor)
    return otherwise;
  if (kept.revivals === revivals) return kept;
  return { ...kept, revivals, saved: { ...kept.saved, failing: [], refusals: 0 } };
}

interface Run {
  readonly webhookId: string;
  readonly owner: string;
  readonly state: PresentWebhook;
  readonly keys: Awaited<ReturnType<typeof keysOf>>;
  readonly kept: Kept;
}

async function run(
  { webhookId, owner, state, keys, kept }: Run,
  ports: DeliveryPorts,
  signal: AbortSignal,
): Promise<void> {
  const { recent, pace, logger, slots, poster } = ports;
  const viewer = readerOf(state.project, ports.imageAccess);
  const readFacts = factsFor(ports, viewer, state.filter);
  const metadata = actingPart('webhooks');
  const news = bell();
  const ended = new AbortController();
  const inFlight = new Map<bigint, Promise<void>>();
  let progress: Progress<Waiting> = resumed(kept.saved);
  let { unacknowledged } = kept;
  /** Of the facts that wait. */
  let weight = 0;
  let attempts: Attempt[] = [];
  let isDirty = false;
  let saving: Promise<void> | undefined;
  let savedAt = performance.now();
  let acknowledgedAt = performance.now();
  signal.addEventListener('abort', news.ring, { once: true });

  const isOver = (): boolean => signal.aborted || ended.signal.aborted;

  const keptNow = (saved: Saved): Kept => {
    const { moves, revivals } = state;
    return { moves, revivals, saved, unacknowledged };
  };

  const acknowledge = async (upTo: bigint): Promise<void> => {
    const isLong = performance.now() - acknowledgedAt > pace.acknowledgeAfterMs;
    if (unacknowledged === 0 || (unacknowledged < pace.acknowledgeEvery && !isLong)) return;
    const counted = unacknowledged;
    const command = { type: 'AcknowledgeDeliveries', by: ours, moves: state.moves, upTo } as const;
    await ports.webhooks.handle(webhookId, command, metadata, ended.signal);
    unacknowledged -= counted;
    acknowledgedAt = performance.now();
  };

  const saveOnce = async (): Promise<void> => {
    isDirty = false;
    const batch = attempts;
    attempts = [];
    const saved = savedOf(progress);
    try {
      if (!(await ports.progress.save(webhookId, owner, keptNow(saved), batch))) {
        logger.info({ webhookId }, 'another process tells this webhook now');
        ended.abort();
        return;
      }
      savedAt = performance.now();
    } catch (error) {
      attempts = [...batch, ...attempts];
      isDirty = true;
      logger.warn({ err: error, webhookId }, 'how far a webhook was told cannot be kept');
      if (!ended.signal.aborted)
        await delay(saveAgainMs, undefined, { signal: ended.signal }).catch(() => {});
      return;
    }
    await acknowledge(saved.cursor).catch((error) =>
      logger.warn({ err: error, webhookId }, 'the log cannot be told how far a webhook was told'),
    );
  };
  const save = (): void => {
    isDirty = true;
    saving ??= (async () => {
      while (isDirty && !ended.signal.aborted) await saveOnce();
    })().finally(() => {
      saving = undefined;
      news.ring();
    });
  };

  const disable = async (reason: DisabledReason, message: string): Promise<void> => {
    if (isOver()) return;
    logger.warn({ webhookId, reason }, message);
    ended.abort();
    const { url, revivals } = state;
    const asTold = { url, revivals };
    const command = { type: 'DisableWebhook', by: ours, reason, message, asTold } as const;
    await ports.webhooks.handle(webhookId, command, metadata, AbortSignal.timeout(10_000));
  };

  const settle = async (
    { position, fact }: Waiting,
    { attempt, retryAfterMs }: Told,
  ): Promise<void> => {
    attempts.push(attempt);
    if (isDelivered(attempt)) {
      progress = delivered(progress, position);
      weight -= fact.weight;
      unacknowledged += 1;
      return save();
    }
    const now = Date.now();
    const delayMs = retryDelayMs(pace.retrySeconds, attempt.attempt, Math.random(), retryAfterMs);
    progress = failed(progress, position, now, delayMs);
    save();
    if (attempt.status === 410) return disable('gone', 'The endpoint answered 410 Gone.');
    const since = progress.failing.get(position)?.since ?? now;
    if (now - since < pace.disableAfterMs) return;
    const why = attempt.error ?? `status ${attempt.status}`;
    return disable(
      'failing',
      `Event ${attempt.eventId} could not be delivered since ${new Date(since).toISOString()}; last: ${why}.`,
    );
  };

  const send = async (waiting: Waiting): Promise<void> => {
    const { event } = waiting.fact.told;
    const { position } = waiting;
    try {
      const told = await tell(
        poster,
        { url: state.url, keys },
        { eventId: event.id, position, type: event.type, body: waiting.fact.textFor(viewer) },
        { attempt: attemptsAt(progress, position) + 1, manual: false },
      );
      ports.onAttempt(told.attempt, (Date.now() - event.recordedAt.getTime()) / 1_000);
      await settle(waiting, told);
    } catch (error) {
      logger.error({ err: error, webhookId }, 'a webhook cannot be told');
      ended.abort();
    } finally {
      inFlight.delete(position);
      slots.free();
      news.ring();
    }
  };

  const room = (): number => (weight > mostWeight ? 0 : roomIn(progress, pace.window));

  const fill = async (): Promise<void> => {
    const most = room();
    if (most <= 0 || recent.upTo <= progress.scanned) return;
    const { facts, next } = await readFacts(progress.scanned, most);
    const before = progress.waiting.length;
    progress = taken(progress, facts.map(waitingFor), next);
    for (const { fact } of progress.waiting.slice(before)) weight += fact.weight;
    if (performance.now() - savedAt > lookedMs) save();
  };

  const start = (): void => {
    const free = Math.min(pace.concurrency - inFlight.size, mostUnsaved - attempts.length);
    for (const waiting of startable(progress, new Set(inFlight.keys()), Date.now(), free)) {
      if (!slots.take(news.ring)) return;
      inFlight.set(waiting.position, send(waiting));
    }
  };

  try {
    while (!isOver()) {
      const { rings } = news;
      await fill();
      if (isOver()) break;
      start();
      const dueAt = nextDueAt(progress, Date.now()) ?? Number.POSITIVE_INFINITY;
      const waitMs = Math.max(1, Math.min(idleMs, dueAt - Date.now()));
      if (performance.now() - acknowledgedAt > pace.acknowledgeAfterMs && unacknowledged > 0)
        save();
      const woken = new AbortController();
      const waits = [news.past(rings, waitMs, woken.signal)];
      if (room() > 0) waits.push(recent.past(progress.scanned, waitMs, woken.signal));
      await Promise.race(waits);
      woken.abort(isWoken);
    }
  } finally {
    signal.removeEventListener('abort', news.ring);
    await inTime(Promise.all(inFlight.values()));
    ended.abort();
    await saving;
    // Whoever took it over is not disturbed by this: what is not ours any more is not kept.
    if (attempts.length > 0 || isDirty)
      await ports.progress
        .save(webhookId, owner, keptNow(savedOf(progress)), attempts)
        .catch(() => false);
  }
}

/** What is still under way then may have been delivered or not: it is sent again. */
async function inTime(work: Promise<unknown>): Promise<void> {
  const settled = new AbortController();
  const late = delay(graceMs, undefined, { signal: settled.signal }).catch(() => {});
  await Promise.race([work, late]);
  settled.abort();
}

/** A reason of its own costs an exception with a stack each time. */
const isWoken = 'woken';

const waitingFor = (fact: Fact): Waiting => {
  const { position, streamId } = fact.told.event;
  return { position, subject: streamId, fact };
};
