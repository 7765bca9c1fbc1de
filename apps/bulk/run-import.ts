import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { bulkAccess } from '../../domain/bulk/access.ts';
import { bulkDecider } from '../../domain/bulk/bulk.ts';
import type { BulkCommand } from '../../domain/bulk/commands.ts';
import {
  type BulkEvent,
  type BulkItem,
  bulkStream,
  type Settled,
} from '../../domain/bulk/events.ts';
import { isSettled, type Marks, marked } from '../../domain/bulk/marks.ts';
import { type Bulk, isOver, isPresent, type PresentBulk } from '../../domain/bulk/state.ts';
import {
  AppendUnknown,
  type EventLog,
  type RecordedEvent,
  RevisionConflict,
} from '../../domain/event-log.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Call } from '../gateway/call.ts';
import { actingPart } from '../webhooks/handle.ts';
import { newContext, newEvents } from './handle.ts';
import { ImportCancelled, type ItemPorts, runItem } from './run-item.ts';
import { type WaitingItems, waitingItems } from './waiting-items.ts';

/** No rule stops the system itself. */
const decider = bulkDecider(bulkAccess(parsePolicy(null)));

/** One import as this process runs it. */
export interface RunningImport {
  readonly id: string;
  readonly state: () => PresentBulk;
  /** Items that may be begun. */
  readonly waiting: WaitingItems;
  readonly inFlight: () => number;
  /** Works on an item until it is settled; never rejects. */
  begin(place: number): Promise<void>;
  /** Takes in a fact of its stream. */
  heard(event: RecordedEvent): void;
  /** Begins nothing more, and leaves what is in work to others. */
  stop(): Promise<void>;
}

export interface ImportPorts extends ItemPorts {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  readonly logger: Logger;
  /** Items may be begun that could not be before, or the import is over. */
  readonly changed: () => void;
  /** Of images: which of these are being filled. */
  readonly inWork: () => Promise<ReadonlySet<string>>;
}

const retryMs = 500;
/** Items that end within so long are told of together. */
const togetherMs = 20;

/** Reads an import whole; undefined when there is none, or it has not all of its items. */
export async function runImport(
  id: string,
  ports: ImportPorts,
): Promise<RunningImport | undefined> {
  const { log, logger } = ports;
  const stream = bulkStream(id);
  const stopping = new AbortController();
  const cancelling = new AbortController();
  const tasks = new Map<number, Promise<void>>();
  const items: BulkItem[] = [];
  let bulk: Bulk = decider.initial;
  let marks: Marks = [];
  let revision = -1;
  let call: Call | undefined;
  let ended: readonly Settled[] = [];
  let flushing: Promise<void> | undefined;
  /** Something that was begun is to be begun again. */
  let left = false;

  const take = (event: BulkEvent): void => {
    bulk = decider.evolve(bulk, event);
    marks = marked(marks, event);
    if (event.type === 'BulkItemsListed') items.push(...event.data.items);
  };
  const takeRecorded = (recorded: RecordedEvent): void => {
    if (recorded.revision !== revision + 1) return;
    const event = recorded as unknown as BulkEvent;
    if (event.type === 'BulkImportRequested') call = callOf(id, event.data.authority, recorded);
    take(event);
    revision = recorded.revision;
  };
  const catchUp = async (): Promise<void> => {
    for (const event of (await log.readStream(stream, revision)).events) takeRecorded(event);
  };

  await catchUp();
  const authority = call as Call | undefined;
  if (authority === undefined || items.length === 0 || bulk.status === 'listing') return undefined;
  const isToDo = (place: number): boolean =>
    !isSettled(marks, place) && !tasks.has(place) && ended.every(({ item }) => item !== place);
  const waiting = waitingItems(items, isToDo);
  const state = (): PresentBulk => {
    if (isPresent(bulk)) return bulk;
    throw new Error(`bulk import ${id} is not there any more`);
  };

  /** Once: a lost race, or a lost answer, only shows what is settled already. */
  const appendSettled = async (last: boolean): Promise<void> => {
    const together = ended.filter(({ item }) => !isSettled(marks, item));
    const command: BulkCommand = { type: 'SettleBulkItems', settled: together, last };
    const decided = decider.decide(command, bulk);
    if (decided.length > 0) {
      const context = newContext({
        ...actingPart('bulk-import'),
        correlationId: authority.correlationId,
        bulkImport: id,
      });
      const at = revision;
      await log.append(stream, newEvents(decided, context), at);
      // Some may have been heard before the answer came.
      for (const event of decided.slice(revision - at)) {
        take(event);
        revision += 1;
      }
    }
    ended = ended.filter(({ item }) => !isSettled(marks, item));
  };

  const flush = async (last: boolean): Promise<void> => {
    await delay(togetherMs);
    while (!stopping.signal.aborted && !isOver(bulk) && (ended.length > 0 || last))
      try {
        await appendSettled(last);
        if (last) return;
      } catch (error) {
        const isRace = error instanceof RevisionConflict || error instanceof AppendUnknown;
        if (!isRace) {
          logger.warn({ err: error, importId: id }, 'what items came to is not recorded yet');
          await delay(retryMs, undefined, { signal: stopping.signal }).catch(() => {});
        }
        await catchUp().catch(() => {});
      }
  };

  /** One at a time; what comes meanwhile goes with the next. */
  const flushSoon = (): void => {
    flushing ??= flush(false).finally(() => {
      flushing = undefined;
      if (ended.length > 0 && !stopping.signal.aborted && !isOver(bulk)) flushSoon();
      ports.changed();
    });
  };

  const run = async (place: number): Promise<void> => {
    const item = items[place];
    if (item === undefined) return;
    const signal = AbortSignal.any([cancelling.signal, stopping.signal]);
    const task = { importId: id, place, item, call: authority };
    try {
      const settled = await runItem(task, ports, signal);
      ended = [...ended, settled];
      flushSoon();
    } catch (error) {
      if (stopping.signal.aborted) return;
      logger.error({ err: error, importId: id, item: place }, 'an item is begun again');
      await delay(retryMs, undefined, { signal: stopping.signal }).catch(() => {});
      left = true;
    }
  };

  const begin = (place: number): Promise<void> => {
    const running = run(place).finally(() => {
      tasks.delete(place);
      if (left) waiting.renew();
      left = false;
    });
    tasks.set(place, running);
    return running;
  };

  /** Items that are in work here, or were when a process before died, come to nothing; the rest never began. */
  const cancel = async (): Promise<void> => {
    const left = await ports.inWork();
    cancelling.abort(new ImportCancelled());
    const orphans = items.flatMap(({ imageId }, place) =>
      left.has(imageId) && !isSettled(marks, place) && !tasks.has(place) ? [begin(place)] : [],
    );
    await Promise.all([...tasks.values(), ...orphans]);
    while (flushing !== undefined) await flushing;
    await flush(true);
    ports.changed();
  };

  let cancelled: Promise<void> | undefined;
  const cancelIfAsked = (): void => {
    if (state().status !== 'cancelling' || cancelled !== undefined) return;
    cancelled = cancel().catch((error) => {
      logger.warn({ err: error, importId: id }, 'a bulk import is not cancelled yet');
      cancelled = undefined;
    });
  };
  cancelIfAsked();

  return {
    id,
    state,
    waiting,
    inFlight: () => tasks.size,
    begin,
    heard(event) {
      if (event.revision <= revision) return;
      const before = state().attempt;
      takeRecorded(event);
      if (event.revision > revision)
        void catchUp().catch((error) =>
          logger.warn({ err: error, importId: id }, 'a bulk import cannot be followed'),
        );
      if (state().attempt !== before) waiting.renew();
      cancelIfAsked();
      ports.changed();
    },
    async stop() {
      stopping.abort();
      await Promise.all([...tasks.values()]);
      await flushing;
    },
  };
}

const callOf = (
  bulkImport: string,
  caller: Call['caller'],
  { metadata: { requestId, globalRequestId, correlationId, personal } }: RecordedEvent,
): Call => ({
  caller,
  person: { userId: caller.userId, userName: '', remoteAddress: '', userAgent: '' },
  requestId,
  globalRequestId,
  correlationId,
  bulkImport,
  personal,
});

export const newOwner = (): string => `bulk-${randomUUID()}`;
