import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Actor, EventLog, Metadata, NewEvent } from '../../domain/event-log.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type RequestRefused, refusalStream } from '../../domain/request-refused.ts';
import type { PersonalRecords } from '../../infra/personal/records.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Call } from './call.ts';
import { isPassing, ownStreams } from './own-streams.ts';

export type Refusal = Omit<RequestRefused['data'], 'count'>;

/**
 * Remembers in the log whom a rule said no to. Within a window only the first refusal of its actor, action and target
 * is an event of its own; what comes like it is counted, and the number appended when the window ends. A flood that
 * also varies its targets is counted per actor, one of many actors altogether: so many events a window, and no more
 * memory, whatever comes.
 */
export interface Refusals {
  /**
   * Resolves once the log knows the first of its kind, or is late. Never rejects: a log out of reach makes no request
   * allowed.
   */
  record(call: Call, refusal: Refusal): Promise<void>;
  /** Appends the counts that are due. Never rejects: what cannot be appended now is due again at the next window. */
  endWindow(): Promise<void>;
  /** Ends the last window. */
  stop(): Promise<void>;
}

export interface RefusalPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly personal: PersonalRecords;
  readonly logger: Pick<Logger, 'error'>;
  readonly now: () => Date;
  /** Names this life of this process. */
  readonly writer: string;
  readonly windowMs: number;
  readonly bounds: RefusalBounds;
}

/** How much one window tells apart. */
export interface RefusalBounds {
  readonly kindsPerActor: number;
  readonly kinds: number;
  /** Actors with more kinds than that. */
  readonly actors: number;
}

export const defaultBounds: RefusalBounds = { kindsPerActor: 100, kinds: 2_000, actors: 1_000 };

interface Counted {
  metadata: Metadata;
  readonly actor: string;
  readonly refusal: Refusal;
  /** Refusals that the log does not know of. */
  count: number;
}

const ofSeveralKinds: Refusal = { action: null, rule: null, target: null, code: null };
const manyActors: Actor = { kind: 'system', part: 'gateway' };

export function recordRefusals(ports: RefusalPorts): Refusals {
  const { bounds, log, logger, now, personal, writer } = ports;
  const streamOf = (at: Date, number: number) => refusalStream(at, writer, number);
  const append = ownStreams({ log, now, streamOf });
  const kinds = new Map<string, Counted>();
  const kindsOf = new Map<string, number>();
  const beyond = new Map<string, Counted>();

  const countBeyond = (actor: string, metadata: Metadata): void => {
    const counted =
      beyond.get(actor) ??
      (beyond.size < bounds.actors
        ? { metadata, actor, refusal: ofSeveralKinds, count: 0 }
        : (beyond.get('') ?? {
            metadata: { ...metadata, actor: manyActors },
            actor: '',
            refusal: ofSeveralKinds,
            count: 0,
          }));
    counted.count += 1;
    beyond.set(counted.actor, counted);
  };

  const forget = (key: string, { actor }: Counted): void => {
    kinds.delete(key);
    const left = (kindsOf.get(actor) ?? 1) - 1;
    if (left === 0) kindsOf.delete(actor);
    else kindsOf.set(actor, left);
  };

  let told = Promise.resolve();

  /** One that can never be stored is given up: it would be in the way of all others for ever. */
  const tellCount = async (counted: Counted, count: number): Promise<void> => {
    try {
      await append(eventOf(counted, count));
    } catch (error) {
      logger.error({ err: error, ...counted.refusal }, 'a count of refusals is not recorded');
      if (isPassing(error)) return;
    }
    counted.count -= count;
  };

  const tellCounts = async (): Promise<void> => {
    for (const [key, counted] of kinds) if (counted.count === 0) forget(key, counted);
    const due = [...kinds.values(), ...beyond.values()].map((counted) => ({
      counted,
      count: counted.count,
    }));
    if (due.length === 0) return;
    await Promise.all(due.map(({ counted, count }) => tellCount(counted, count)));
    for (const [key, counted] of kinds) if (counted.count === 0) forget(key, counted);
    for (const [actor, counted] of beyond) if (counted.count === 0) beyond.delete(actor);
  };

  /** One after the other: a count is told once. */
  const endWindow = (): Promise<void> => {
    told = told.then(tellCounts);
    return told;
  };

  const timer = setInterval(() => void endWindow(), ports.windowMs);
  timer.unref();

  return {
    async record(call, refusal) {
      const actor = JSON.stringify([call.caller.userId, call.caller.projectId]);
      const key = JSON.stringify([actor, refusal.action, refusal.target]);
      const known = kinds.get(key);
      if (known !== undefined) {
        known.count += 1;
        return;
      }
      const metadata = metadataOf(call);
      const before = kindsOf.get(actor) ?? 0;
      if (before >= bounds.kindsPerActor || kinds.size >= bounds.kinds)
        return countBeyond(actor, metadata);
      const counted: Counted = { metadata, actor, refusal, count: 0 };
      kinds.set(key, counted);
      kindsOf.set(actor, before + 1);
      const tellFirst = async (): Promise<void> => {
        try {
          counted.metadata = { ...metadata, personal: await personal.remember(call.person) };
          await append(eventOf(counted, 1));
        } catch (error) {
          logger.error({ err: error, ...refusal }, 'a refusal is not recorded');
          if (!isPassing(error)) return;
          counted.count += 1;
          if (kinds.get(key) !== counted) countBeyond(actor, metadata);
        }
      };
      await inTime(tellFirst());
    },
    endWindow,
    async stop() {
      clearInterval(timer);
      await endWindow();
    },
  };
}

/** An answer waits no longer for its refusal to be recorded; the recording goes on. */
const longestWaitMs = 2_000;

async function inTime(work: Promise<void>): Promise<void> {
  const late = new AbortController();
  await Promise.race([
    work,
    delay(longestWaitMs, undefined, { signal: late.signal }).catch(() => {}),
  ]);
  late.abort();
}

const metadataOf = ({ caller, requestId, globalRequestId, correlationId }: Call): Metadata => ({
  actor: {
    kind: 'user',
    userId: caller.userId,
    projectId: caller.projectId,
    roles: caller.roles,
  },
  requestId,
  ...(globalRequestId === undefined ? {} : { globalRequestId }),
  causationId: correlationId,
  correlationId,
});

function eventOf({ metadata, refusal }: Counted, count: number): NewEvent {
  const event: RequestRefused = { type: 'RequestRefused', data: { ...refusal, count } };
  return {
    id: randomUUID(),
    schemaVersion: 1,
    type: event.type,
    data: event.data as unknown as JsonObject,
    metadata,
  };
}
