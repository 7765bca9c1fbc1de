import { randomUUID } from 'node:crypto';
import { checkLog } from '../../apps/audit/check.ts';
import { checkpointText } from '../../infra/audit/checkpoint.ts';
import { openTree } from '../../infra/audit/kept-tree.ts';
import { newSigningKey } from '../../infra/audit/keys.ts';
import { signedNote } from '../../infra/audit/note.ts';
import { proofsFrom } from '../../infra/audit/proofs.ts';
import { postgresTreeStore } from '../../infra/audit/tree-store.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { atConcurrency, percentiles } from './load.ts';
import { asNew, life } from './log.ts';

export interface AuditFigures {
  readonly events: number;
  /** From the log into stored tiles. */
  readonly builtPerSecond: number;
  /** The same by the processor time of the process that does it. */
  readonly builtPerProcessorSecond: number;
  readonly checkedPerSecond: number;
  /** Of one event of all, from its position. */
  readonly proofP50Ms: number;
  readonly proofP99Ms: number;
}

const seedWriters = 256;
const batchEvents = 500;
/** So that the system's own keeper of the tree leaves it to us. */
const never = ['--audit-checkpoint-ms', '86400000', '--audit-check-hours', '0'];

/** A system of its own, whose log is put into a tree, compared with it, and asked for proofs. */
export async function measureAudit(counts: {
  readonly images: number;
  readonly proofs: number;
}): Promise<AuditFigures> {
  const daguerre = await startDaguerre({ args: ['--log-level', 'warn', ...never] });
  const stored = { log: silent, upcast: <Event>(event: Event): Event => event };
  const log = postgresEventLog(daguerre.postgresUrl, stored);
  const pool = postgresPool(daguerre.postgresUrl, { log: silent, max: 4 });
  const store = postgresTreeStore(pool);
  const proofs = proofsFrom(store);
  try {
    await atConcurrency(seedWriters, counts.images, () =>
      log.append(`image-${randomUUID()}`, life.map(asNew), -1),
    );
    await store.drop();
    const [began, processor] = [performance.now(), process.cpuUsage()];
    const ignored = { onDropped: () => {}, onDiffers: async () => {} };
    const tree = await openTree({ log, store, signed: [], ...ignored });
    let reading = log.readAll(0n, batchEvents);
    for (;;) {
      const events = await reading;
      const last = events.at(-1);
      if (last === undefined) break;
      reading = log.readAll(last.position, batchEvents);
      await tree.add(events);
    }
    const root = tree.root();
    const seconds = (performance.now() - began) / 1_000;
    const { user, system } = process.cpuUsage(processor);
    const { size, position } = tree;

    const key = newSigningKey('bench');
    const note = signedNote(checkpointText({ origin: key.name, size, root }), [key]);
    const known = { verifierKey: key.text, fromSize: 0, handOver: null, since: new Date() };
    const memory = { keys: async () => [known] };
    const checking = performance.now();
    const head = { size, root, position, note, signedAt: new Date() };
    const { ok } = await checkLog({ log, store, proofs, memory }, head);
    if (!ok) throw new Error('the log that was just put into the tree is not what is in there');
    const checked = (performance.now() - checking) / 1_000;

    const waits: number[] = [];
    for (let count = 0; count < counts.proofs; count += 1) {
      const asked = BigInt(1 + Math.floor(Math.random() * size));
      const from = performance.now();
      const [index] = await store.indexesOf([asked]);
      await proofs.inclusion(index ?? 0, size);
      waits.push(performance.now() - from);
    }
    const { p50Ms, p99Ms } = percentiles(waits);
    return {
      events: size,
      builtPerSecond: size / seconds,
      builtPerProcessorSecond: size / ((user + system) / 1e6),
      checkedPerSecond: size / checked,
      proofP50Ms: p50Ms,
      proofP99Ms: p99Ms,
    };
  } finally {
    await log.close();
    await pool.end();
    await daguerre.stop();
  }
}
