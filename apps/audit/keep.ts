import { setTimeout as delay } from 'node:timers/promises';
import type { EventLog } from '../../domain/event-log.ts';
import type { TreeHead } from '../../infra/audit/checkpoint.ts';
import { type KeptTree, LogDiffers, openTree, TreeFenced } from '../../infra/audit/kept-tree.ts';
import type { AuditMemory } from '../../infra/audit/memory.ts';
import type { TreeStore } from '../../infra/audit/tree-store.ts';
import type { Lease } from '../../infra/leases/lease.ts';
import type { Log } from '../../infra/postgres/log.ts';
import type { OwnCheckpoint } from './own-checkpoint.ts';
import { type SigningPorts, signedHead, signingKeys } from './signing.ts';

export interface KeeperOptions {
  /** As it is stored: no event may be lifted to a newer shape. */
  readonly log: Pick<EventLog, 'readAll'>;
  readonly store: TreeStore;
  readonly memory: AuditMemory;
  /** What this host itself remembers to have signed last. */
  readonly own: OwnCheckpoint;
  readonly signing: SigningPorts;
  readonly lease: Lease;
  readonly logger: Log;
  readonly everyMs: number;
  readonly stopping: AbortSignal;
}

/** Small enough not to hold up what else the process does. */
const batchEvents = 500;
const leasePollMs = 500;
const longestPauseMs = 10_000;
/** A log that differs is looked at again after this, or ten times as long as the look took. */
const differsPauseMs = 30_000;

/**
 * Keeps the tree at the log's head and signs it, by lease. Nothing is signed that does not grow out of everything that
 * is remembered to have been signed: where the log is not that log any more, an alarm is raised and signing ends.
 */
export async function keepTree(options: KeeperOptions): Promise<void> {
  const { log, store, memory, own, lease, logger, everyMs, stopping } = options;
  const pause = (ms: number) => delay(ms, undefined, { signal: stopping }).catch(() => {});
  let tree: KeptTree | undefined;
  let signed: TreeHead | undefined;
  let cannotSign = '';
  let hasKeys = false;
  let pauseMs = everyMs;
  let began = 0;

  const open = async (): Promise<KeptTree> => {
    const heads = [...(await memory.heads()), ...(await own.read())];
    heads.sort((one, other) => one.size - other.size);
    signed = heads.at(-1);
    return openTree({
      log,
      store,
      signed: heads,
      onDropped: () => logger.info({}, 'making the audit tree again from the log'),
      onDiffers: raise,
    });
  };

  const raise = async (error: LogDiffers): Promise<void> => {
    logger.error({ err: error }, 'the log is not what the audit tree says');
    await memory.raise(error.message);
  };

  const sign = async (one: KeptTree): Promise<void> => {
    if (one.size <= (signed?.size ?? 0) && hasKeys) return;
    try {
      const keys = await signingKeys(options.signing);
      hasKeys = true;
      if (one.size <= (signed?.size ?? 0)) return;
      const head = { size: one.size, root: one.root() };
      const note = signedHead(head, keys, new Date());
      await memory.remember({ ...head, position: one.position, note });
      await own.write(note);
      signed = head;
      cannotSign = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== cannotSign) logger.error({ err: error }, 'no checkpoint can be signed');
      cannotSign = message;
    }
  };

  const grow = async (one: KeptTree): Promise<void> => {
    let reading = log.readAll(one.position, batchEvents);
    let signedAt = performance.now();
    for (;;) {
      const events = await reading;
      const last = events.at(-1);
      if (last === undefined || stopping.aborted) break;
      reading = log.readAll(last.position, batchEvents);
      reading.catch(() => {}); // awaited in the next round, if there is one
      await one.add(events);
      if (performance.now() - signedAt < everyMs) continue;
      if (!(await lease.tryHold())) return;
      await sign(one);
      signedAt = performance.now();
    }
    if (stopping.aborted) return;
    // Whoever took it away must not have to wait for the next event.
    if ((await store.reach()).size !== one.size) throw new TreeFenced();
    one.requireWhole();
    await sign(one);
  };

  while (!stopping.aborted)
    try {
      if (!(await lease.tryHold())) {
        tree = undefined;
        await pause(leasePollMs);
        continue;
      }
      began = performance.now();
      tree ??= await open();
      await grow(tree);
      pauseMs = everyMs;
      await pause(everyMs);
    } catch (error) {
      tree = undefined;
      if (stopping.aborted) break;
      if (error instanceof TreeFenced) continue;
      if (error instanceof LogDiffers) {
        const lookMs = performance.now() - began;
        await raise(error).catch(() => {});
        await store.drop().catch(() => {});
        await pause(Math.max(differsPauseMs, 10 * lookMs));
        continue;
      }
      logger.error({ err: error }, 'the audit tree cannot be kept; trying again');
      await pause(pauseMs);
      pauseMs = Math.min(2 * pauseMs, longestPauseMs);
    }
  await lease.release().catch(() => {});
}
