import { setTimeout as delay } from 'node:timers/promises';
import { bulkAccess } from '../../domain/bulk/access.ts';
import { bulkDecider } from '../../domain/bulk/bulk.ts';
import { bulkPrefix, priorities } from '../../domain/bulk/events.ts';
import { isOver } from '../../domain/bulk/state.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import { parsePolicy } from '../../domain/policy/policy.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { BulkImports, BulkRecord } from '../../projections/bulk/imports.ts';
import type { LogTail } from '../gateway/log-tail.ts';
import { actingPart } from '../webhooks/handle.ts';
import { type BulkLimits, bulkBudget } from './budget.ts';
import { bulkAt, handleBulk, newContext } from './handle.ts';
import { type ImportPorts, type RunningImport, runImport } from './run-import.ts';
import { noHost } from './waiting-items.ts';
import { watchImage } from './watch.ts';

export interface RunnerPorts extends Omit<ImportPorts, 'changed' | 'watch'> {
  readonly log: Pick<EventLog, 'readStream' | 'append'>;
  /** Everything that the log takes from the first call on. */
  readonly tail: () => Promise<LogTail>;
  readonly imports: Pick<BulkImports, 'open'>;
  /**
   * Held by the one process that runs imports: so what may be in work at once, of a project and of a host, is counted in
   * one place. Two for a moment do no harm: images' own streams decide who makes what.
   */
  readonly lease: Lease;
  readonly limits: BulkLimits;
  /** Items of one import whose bytes whoever asked is to upload now. */
  readonly uploadsAtOnce: number;
  readonly lookEveryMs: number;
  /** Of whoever asked for an import: to list its items. */
  readonly listingPatienceMs: number;
  readonly wallClock: () => number;
}

const listingDeadlineMs = 15_000;

/** Runs bulk imports while this process holds their lease, until the signal aborts. */
export async function runBulkImports(ports: RunnerPorts, signal: AbortSignal): Promise<void> {
  const { lease, imports, logger, limits, log, uploadsAtOnce } = ports;
  let stopListening = (): void => {};
  const running = new Map<string, RunningImport>();
  const uploading = new Map<string, number>();
  let budget = bulkBudget(limits);
  const handle = handleBulk(ports.log, bulkDecider(bulkAccess(parsePolicy(null))));

  /** Room for an item from a host. Uploads by clients take none that fetching needs, but have a bound of their own. */
  const roomFor = (one: RunningImport, host: string): (() => void) | undefined => {
    if (host !== noHost) return budget.take(one.state().project, host);
    const count = uploading.get(one.id) ?? 0;
    if (count >= uploadsAtOnce) return undefined;
    uploading.set(one.id, count + 1);
    return () => uploading.set(one.id, (uploading.get(one.id) ?? 1) - 1);
  };

  const beginOne = (one: RunningImport): boolean => {
    for (const host of one.waiting.hosts()) {
      const giveBack = roomFor(one, host);
      if (giveBack === undefined) continue;
      const place = one.waiting.take(host);
      if (place === undefined) giveBack();
      else
        void one.begin(place).finally(() => {
          giveBack();
          begin();
        });
      return true;
    }
    return false;
  };

  /** Of higher priority first; of the same, who has least in work. */
  const begin = (): void => {
    const ready = new Set([...running.values()].filter((one) => one.state().status === 'running'));
    while (ready.size > 0 && !signal.aborted) {
      const [next] = [...ready].sort(
        (one, other) =>
          priorities.indexOf(other.state().priority) - priorities.indexOf(one.state().priority) ||
          one.inFlight() - other.inFlight(),
      );
      if (next === undefined || beginOne(next)) continue;
      ready.delete(next);
    }
  };

  const drop = (one: RunningImport): void => {
    running.delete(one.id);
    uploading.delete(one.id);
    void one.stop();
  };
  const changed = (): void => {
    for (const one of running.values()) if (isOver(one.state())) drop(one);
    begin();
  };

  const giveUpListing = async (record: BulkRecord): Promise<void> => {
    if (ports.wallClock() - record.updatedAt.getTime() < ports.listingPatienceMs) return;
    const metadata = { ...actingPart('bulk-import'), bulkImport: record.id };
    const deadline = AbortSignal.timeout(listingDeadlineMs);
    const command = { type: 'AbandonBulkImport' } as const;
    await handle(record.id, command, newContext(metadata), bulkAt(record), deadline);
    logger.warn({ importId: record.id }, 'a bulk import was not asked for to the end');
  };

  let followed: Promise<LogTail> | undefined;
  /** The log is followed once there is something to run. */
  const following = (): Promise<LogTail> => {
    followed ??= ports.tail().then((tail) => {
      stopListening = tail.listenToAll((event: RecordedEvent) => {
        if (event.streamId.startsWith(bulkPrefix))
          running.get(event.streamId.slice(bulkPrefix.length))?.heard(event);
      });
      return tail;
    });
    return followed;
  };

  const look = async (): Promise<void> => {
    for (const record of await imports.open()) {
      if (running.has(record.id) || signal.aborted) continue;
      if (record.status === 'listing') {
        await giveUpListing(record);
        continue;
      }
      const tail = await following();
      const watch = (imageId: string) => watchImage(imageId, { log, tail });
      const one = await runImport(record.id, { ...ports, watch, changed });
      if (one === undefined || isOver(one.state())) continue;
      running.set(record.id, one);
      logger.info({ importId: record.id, images: one.state().items }, 'running a bulk import');
    }
    begin();
  };

  const stopAll = async (): Promise<void> => {
    const all = [...running.values()];
    running.clear();
    uploading.clear();
    await Promise.all(all.map((one) => one.stop()));
    budget = bulkBudget(limits);
  };

  try {
    while (!signal.aborted) {
      try {
        if (await lease.tryHold()) await look();
        else if (running.size > 0) await stopAll();
      } catch (error) {
        if (!signal.aborted) logger.warn({ err: error }, 'bulk imports cannot be looked after');
      }
      await delay(ports.lookEveryMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    stopListening();
    await stopAll();
    await lease.release().catch(() => {});
  }
}
