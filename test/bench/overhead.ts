import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { startHeartbeat } from '../../infra/leases/heartbeat.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { cpuMsOf } from './cpu.ts';
import { atLeast, percentiles, sender } from './load.ts';
import { atRest } from './rest.ts';
import { type Site, startSite } from './site.ts';

/** Of creating images, 16 at once, each image. */
export interface CreateCost {
  readonly perSecond: number;
  readonly p50Ms: number;
  /** Of all processes, the database's too. */
  readonly cpuMs: number;
}

export interface OverheadFigures {
  readonly audited: CreateCost;
  /** Nobody keeps history, downloads or the audit tree; the personal records that events name stay. */
  readonly unaudited: CreateCost;
}

const concurrency = 16;
const json = { 'content-type': 'application/json' };
/** What history gathers, and more. */
const settleMs = 500;
/** By these the parts of an installation that the audit is made of take turns. */
const auditLeases = ['audit', 'projector-history', 'projector-downloads'];
const owner = 'the bench';
/** Well within the lease of the projector. */
const beatMs = 250;

/**
 * What the audit costs a create: two installations side by side, one without it, asked in short turns, since a machine's
 * speed may change from one minute to the next.
 */
export async function measureOverhead({
  rounds,
  sliceMs,
}: {
  readonly rounds: number;
  readonly sliceMs: number;
}): Promise<OverheadFigures> {
  const site = await startSite();
  const other = await startSite();
  const pool = postgresPool(other.daguerre.postgresUrl, { log: silent, max: 2 });
  const heartbeat = startHeartbeat(pool, {
    ...{ owner, part: 'bench', intervalMs: beatMs, log: logger('bench', 'silent') },
  });
  const [audited, unaudited] = [creating(site), creating(other)];
  try {
    await takeLeases(pool);
    for (const one of [audited, unaudited]) await one.warmUp(sliceMs);
    await atRest([...site.pids, ...other.pids]);
    const behind = await historyCheckpoint(pool);
    for (let round = 0; round < rounds; round += 1)
      for (const one of round % 2 === 0 ? [audited, unaudited] : [unaudited, audited])
        await one.slice(sliceMs);
    if ((await historyCheckpoint(pool)) !== behind)
      throw new Error('history was kept where it should not be');
    return { audited: audited.cost(), unaudited: unaudited.cost() };
  } finally {
    audited.close();
    unaudited.close();
    await heartbeat.stop();
    await pool.end();
    await Promise.all([site.end(), other.end()]);
  }
}

/** As a standby that took over would: who held them finds out and stops. */
async function takeLeases(pool: Pool): Promise<void> {
  await until('the audit to be taken over', async () => {
    const { rowCount } = await pool.query(
      'update leases set owner = $2, token = token + 1 where name = any ($1) and owner <> $2',
      [auditLeases, owner],
    );
    const { rows } = await pool.query('select from leases where owner = $1', [owner]);
    return rowCount === 0 && rows.length === auditLeases.length;
  });
  let last = await historyCheckpoint(pool);
  await until('history to stand still', async () => {
    await delay(1_500);
    const before = last;
    last = await historyCheckpoint(pool);
    return last === before;
  });
}

async function historyCheckpoint(pool: Pool): Promise<string | undefined> {
  const { rows } = await pool.query<{ position: string }>(
    "select position::text from read_model.generation where model = 'history' and state = 'live'",
  );
  return rows[0]?.position;
}

function creating({ daguerre, pids }: Site) {
  const { ask, close } = sender(daguerre.url, concurrency);
  const took: number[] = [];
  let [count, ms, cpuMs] = [0, 0, 0];
  let made = 0;
  const create = async (): Promise<void> => {
    made += 1;
    const image = {
      name: `bench-${made}`,
      disk_format: 'qcow2',
      container_format: 'bare',
      hw_disk_bus: 'virtio',
      slot: String(made % 100),
      tags: ['bench'],
    };
    const began = performance.now();
    await ask(201, 'POST', '/v2/images', JSON.stringify(image), json);
    took.push(performance.now() - began);
  };
  return {
    close,
    async warmUp(forMs: number): Promise<void> {
      await atLeast(concurrency, { count: 100, ms: 2 * forMs }, create);
      took.length = 0;
    },
    async slice(forMs: number): Promise<void> {
      const [before, began] = [cpuMsOf(pids), performance.now()];
      const { done } = await atLeast(concurrency, { count: 1, ms: forMs }, create);
      ms += performance.now() - began;
      await delay(settleMs);
      cpuMs += cpuMsOf(pids) - before;
      count += done;
    },
    cost: (): CreateCost => ({
      perSecond: (count * 1_000) / ms,
      p50Ms: percentiles(took).p50Ms,
      cpuMs: cpuMs / count,
    }),
  };
}

/** What the audit adds to a create without it. */
export function overheadText({ audited, unaudited }: OverheadFigures): string {
  const { p50Ms, perSecond, cpuMs } = unaudited;
  const more = (ratio: number): string => `${(100 * (ratio - 1)).toFixed(0)} %`;
  const told = [
    `${more(perSecond / audited.perSecond)} of time at 16 at once`,
    `${more(audited.p50Ms / p50Ms)} of its p50`,
    `${more(audited.cpuMs / cpuMs)} of processor time`,
  ];
  return `the audit adds to a create: ${told.join(', ')} (${audited.perSecond.toFixed(0)}/s against ${perSecond.toFixed(0)}/s without, ${audited.cpuMs.toFixed(2)} against ${cpuMs.toFixed(2)} ms of processor time)`;
}
