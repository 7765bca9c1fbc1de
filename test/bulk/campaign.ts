import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ImageEvent } from '../../domain/image/events.ts';
import { upcast } from '../../domain/image/upcast.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { chanceOf } from '../faults/chance.ts';
import { type Daguerre, partsOfThisRun, startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { generousMs, until } from '../support/until.ts';
import { type Mirror, startMirror } from './mirror.ts';

export interface CampaignOptions {
  readonly images: number;
  /** 0: nothing is killed. */
  readonly killEverySeconds: number;
  readonly seed: string;
  readonly say: (line: string) => void;
  readonly timeoutMs: number;
}

export interface CampaignFigures {
  readonly seconds: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Largest resident memory by part, in MiB. */
  readonly memoryMib: Readonly<Record<string, number>>;
  /** Seconds of processors by part, of those that lived to the end. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** Medians of what an image waited for, in milliseconds. */
  readonly stagesMs: Readonly<Record<string, number>>;
}

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * One bulk import from a local server while processes are killed by chance. Throws unless it ends with every image there,
 * active, once, with its own bytes, and no bytes asked for again after the log had that they were all here.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignFigures> {
  const mirror = await startMirror();
  const site = await startSite(mirror);
  try {
    return await campaign(site, mirror, options);
  } finally {
    await site.daguerre().stop();
    await mirror.stop();
  }
}

type Site = Awaited<ReturnType<typeof startSite>>;

async function startSite({ port }: Mirror) {
  const env = {
    DAGUERRE_IMPORT_ALLOWED_CIDRS: '127.0.0.1/32',
    DAGUERRE_IMPORT_ALLOWED_PORTS: String(port),
    DAGUERRE_LOG_LEVEL: 'warn',
  };
  const first = await startDaguerre({ env });
  let current = first;
  const address = new URL(first.url);
  return {
    daguerre: () => current,
    /** Everything at once, and another start. */
    async killAll() {
      await current.killAll();
      const again = await startDaguerre({
        env,
        dataDir: first.dataDir,
        port: Number(address.port),
      });
      // The first one knows that its directory is to be removed in the end.
      current = {
        ...again,
        async stop(signal) {
          await again.stop(signal);
          return first.stop();
        },
      };
    },
  };
}

async function campaign(
  site: Site,
  mirror: Mirror,
  { images, killEverySeconds, seed, say, timeoutMs }: CampaignOptions,
): Promise<CampaignFigures> {
  const { url } = site.daguerre();
  const manifest = {
    name: 'campaign',
    images: Array.from({ length: images }, (_, index) => ({
      name: `image-${index}`,
      source: mirror.url(index),
      size: mirror.bytesEach,
      tags: ['campaign'],
      properties: { number: String(index) },
    })),
  };
  const began = performance.now();
  const { id } = (await call(url, 'POST', '/bulk/v1/imports', manifest)) as unknown as Shown;
  say(`asked for ${images} images in ${seconds(began)} s`);

  const over = new AbortController();
  const killing =
    killEverySeconds === 0 ? {} : killByChance(site, killEverySeconds, seed, over.signal);
  const measuring = measureMemory(site.daguerre, over.signal);
  let toldAt = began;
  const last = await until(
    `${images} images`,
    async () => {
      const shown = await show(url, id);
      if (shown !== undefined && performance.now() - toldAt > 5_000) {
        toldAt = performance.now();
        say(`${seconds(began)} s: ${shown.status}, ${JSON.stringify(shown.counts)}`);
      }
      return shown?.status === 'completed' ? shown : undefined;
    },
    { timeoutMs, everyMs: 100 },
  );
  const took = Number(seconds(began));
  over.abort();
  const kills = await killing;
  const memoryMib = await measuring;
  const cpuSeconds = Object.fromEntries(
    Object.entries(site.daguerre().parts()).map(([name, pid = 0]) => [name, cpuSecondsOf(pid)]),
  );
  say(`${took} s: ${JSON.stringify(last.counts)}, ${mirror.total()} requests`);

  await site.daguerre().part('gateway');
  await until('the gateway', async () => (await show(url, id)) !== undefined);
  await checkImages(url, mirror, images, last);
  const stagesMs = await checkRequests(site.daguerre(), mirror, images);
  return { seconds: took, kills, requests: mirror.total(), memoryMib, cpuSeconds, stagesMs };
}

async function checkImages(
  url: string,
  mirror: Mirror,
  images: number,
  last: Shown,
): Promise<void> {
  assert.equal(last.counts.failed, 0, JSON.stringify(last.counts));
  assert.equal(last.counts.done, images, JSON.stringify(last.counts));
  const seen = new Map<string, string>();
  for (let next: string | undefined = '/v2/images?limit=1000'; next !== undefined; ) {
    const page = (await call(url, 'GET', next)) as unknown as Page;
    for (const { name, status, checksum, number } of page.images) {
      assert.equal(status, 'active', name);
      assert.ok(!seen.has(name), `${name} is there twice`);
      assert.equal(checksum, mirror.md5(Number(number)), `${name} has other bytes`);
      seen.set(name, checksum);
    }
    next = page.next;
  }
  assert.equal(seen.size, images);
}

interface Page {
  readonly images: readonly {
    readonly name: string;
    readonly status: string;
    readonly checksum: string;
    readonly number: string;
  }[];
  readonly next?: string;
}

/** Nothing is asked for once the log has that its bytes are here; by then, once, and again only after a death. */
async function checkRequests(daguerre: Daguerre, mirror: Mirror, images: number) {
  const log = await openEventLog(daguerre.postgresUrl, { log: silent, upcast });
  const fetchedAt = new Map<string, number>();
  const sourceOf = new Map<string, string>();
  const stages = stageClock();
  try {
    for (let after = 0n; ; ) {
      const batch = await log.readAll(after, 1_000);
      const end = batch.at(-1);
      if (end === undefined) break;
      for (const { streamId, recordedAt, ...rest } of batch) {
        const event = rest as unknown as ImageEvent;
        stages.saw(streamId, event.type, recordedAt.getTime());
        if (event.type === 'ImportRequested' && event.data.method.name === 'web-download')
          sourceOf.set(streamId, event.data.method.uri);
        if (event.type === 'ImportFetched') {
          const uri = sourceOf.get(streamId) ?? '';
          assert.ok(!fetchedAt.has(uri), `${uri} was fetched whole twice`);
          fetchedAt.set(uri, recordedAt.getTime());
        }
      }
      after = end.position;
    }
  } finally {
    await log.close();
  }
  assert.equal(fetchedAt.size, images);
  for (let index = 0; index < images; index += 1) {
    const uri = mirror.url(index);
    const requests = mirror.requests(index);
    assert.ok(requests.length > 0, `${uri} was never asked for`);
    const late = requests.filter((at) => at > (fetchedAt.get(uri) ?? 0));
    assert.equal(late.length, 0, `${uri} was asked for again though its bytes were here`);
  }
  return stages.medians();
}

const stageEnds: readonly string[] = ['IngestClaimed', 'ImportFetched', 'ImportCompleted'];

/** How long images take from each of these facts to the next. */
function stageClock() {
  const lastAt = new Map<string, number>();
  const taken = new Map<string, number[]>();
  return {
    saw(streamId: string, type: string, at: number): void {
      const before = lastAt.get(streamId);
      if (type !== 'ImportRequested' && !stageEnds.includes(type)) return;
      lastAt.set(streamId, at);
      if (before !== undefined) taken.set(type, [...(taken.get(type) ?? []), at - before]);
    },
    medians: () =>
      Object.fromEntries(
        [...taken].map(([type, all]) => {
          const sorted = all.toSorted((one, other) => one - other);
          return [type, sorted[Math.floor(sorted.length / 2)] ?? 0];
        }),
      ),
  };
}

/** Until the signal aborts; gives how often each part was killed. */
async function killByChance(
  site: Site,
  everySeconds: number,
  seed: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const chance = chanceOf(seed);
  const kills: Record<string, number> = {};
  while (!signal.aborted) {
    await delay(everySeconds * 1_000, undefined, { signal }).catch(() => {});
    if (signal.aborted) break;
    const victim = chance.percent(10) ? 'everything' : chance.pick(partsOfThisRun());
    kills[victim] = (kills[victim] ?? 0) + 1;
    if (victim === 'everything') await site.killAll();
    else await site.daguerre().kill(victim);
  }
  return kills;
}

async function measureMemory(daguerre: () => Daguerre, signal: AbortSignal) {
  const most: Record<string, number> = {};
  while (!signal.aborted) {
    for (const [name, pid = 0] of Object.entries(daguerre().parts()))
      most[name] = Math.max(most[name] ?? 0, residentMib(pid));
    await delay(500, undefined, { signal }).catch(() => {});
  }
  return most;
}

function residentMib(pid: number): number {
  try {
    const [, kib = '0'] =
      /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Math.round(Number(kib) / 1024);
  } catch {
    return 0;
  }
}

/** User and system time, of a clock of 100 ticks a second. */
function cpuSecondsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Undefined while it cannot be asked. */
const show = (url: string, id: string): Promise<Shown | undefined> =>
  call(url, 'GET', `/bulk/v1/imports/${id}`).then(
    (shown) => shown as unknown as Shown,
    () => undefined,
  );

async function call(url: string, method: string, path: string, document?: object) {
  const response = await fetch(`${url}${path}`, {
    method,
    signal: AbortSignal.timeout(generousMs),
    ...(document === undefined
      ? {}
      : { body: JSON.stringify(document), headers: { 'Content-Type': 'application/json' } }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 500)}`);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1);
