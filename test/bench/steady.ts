import { once } from 'node:events';
import { pieces, upload } from './bytes.ts';
import { seedThroughApi, slots } from './catalogue.ts';
import { type GatewayRates, measureGateways } from './gateways.ts';
import { type Growth, growthWhile } from './growth.ts';
import { atConcurrency, drained, type Sender, sender } from './load.ts';
import { type LoopDelays, loopDelaysWhile } from './loop-delay.ts';
import { type Site, startSite } from './site.ts';
import { aligned, short } from './table.ts';

export interface SteadyOptions {
  readonly requests: number;
  /** Bytes of the one long upload. */
  readonly long: number;
  /** Bytes of each of the four that are sent at once. */
  readonly large: number;
  /** How long each kind of request is measured with each number of gateways. */
  readonly ms: number;
  /** Over how long a time an event loop's delays are counted together; but for a gateway it is four seconds. */
  readonly windowMs: number;
}

export interface SteadyFigures {
  readonly overRequests: readonly Growth[];
  readonly overUpload: readonly Growth[];
  readonly loopDelays: LoopDelays;
  /** By the number of gateways. */
  readonly gateways: Readonly<Record<string, GatewayRates>>;
}

const concurrency = 16;
const images = 500;
const uploadsAtOnce = 4;
const warmUpBytes = 64 * 1024 ** 2;
const json = { 'Content-Type': 'application/json' };
const patch = { 'Content-Type': 'application/openstack-images-v2.1-json-patch' };
/** How much larger than in the first fifth memory may be in the last. */
const flat = 1.1;
const longestDelayMs = 20;

/** Systems of their own: what a long time does to them. */
export async function measureSteady(options: SteadyOptions): Promise<SteadyFigures> {
  const { requests, long, large, ms, windowMs } = options;
  const on = async <Result>(
    args: readonly string[],
    task: (site: Site, client: Sender) => Promise<Result>,
  ) => {
    const site = await startSite(args);
    const client = sender(site.daguerre.url, concurrency);
    try {
      return await task(site, client);
    } finally {
      client.close();
      await site.end();
    }
  };
  const overRequests = await on([], (site, client) => askMuch(site, client, requests));
  const overUpload = await on([], (site, client) => uploadLong(site, client, long));
  const loopDelays = await on([], async ({ daguerre }, { send }) => {
    const four = (size: number) =>
      atConcurrency(uploadsAtOnce, uploadsAtOnce, () => upload(send, size));
    await four(Math.min(large, warmUpBytes));
    return loopDelaysWhile(daguerre.url, windowMs, () => four(large));
  });
  const gateways: Record<string, GatewayRates> = {};
  for (const count of [1, 2]) gateways[count] = await measureGateways(count, ms);
  return { overRequests, overUpload, loopDelays, gateways };
}

/** Mostly reads, and as many images created as deleted: what grows is nothing that has to be kept. */
async function askMuch(site: Site, client: Sender, requests: number): Promise<readonly Growth[]> {
  const ids = await seedThroughApi({ admin: client, member: client }, images);
  const made: string[] = [];
  let done = 0;
  const { ask } = client;
  const one = async (turn: number): Promise<void> => {
    const id = ids[turn % ids.length];
    const oldest = turn % 20 === 5 ? made.shift() : undefined;
    if (turn % 20 === 0) {
      const image = JSON.stringify({ name: `steady-${turn}`, os_distro: 'debian' });
      const answer = await ask(201, 'POST', '/v2/images', image, json);
      made.push(JSON.parse(answer.toString()).id);
    } else if (oldest !== undefined) await ask(204, 'DELETE', `/v2/images/${oldest}`);
    else if (turn % 20 === 10) {
      const change = [{ op: 'add', path: '/steady', value: String(turn) }];
      await ask(200, 'PATCH', `/v2/images/${id}`, JSON.stringify(change), patch);
    } else if (turn % 4 === 1)
      await ask(200, 'GET', `/v2/images?limit=25&seed_slot=${turn % slots}`);
    else await ask(200, 'GET', `/v2/images/${id}`);
    done += 1;
  };
  // What a process needs once: its code made fast, its connections.
  await atConcurrency(concurrency, Math.ceil(requests / 20), one);
  done = 0;
  return growthWhile(
    site,
    () => done / requests,
    () => atConcurrency(concurrency, requests, one),
  );
}

async function uploadLong(site: Site, client: Sender, size: number): Promise<readonly Growth[]> {
  await upload(client.send, Math.min(size, warmUpBytes));
  const created = await client.ask(201, 'POST', '/v2/images', JSON.stringify(raw), json);
  const { id } = JSON.parse(created.toString());
  let sent = 0;
  const body = async (sink: NodeJS.WritableStream): Promise<void> => {
    for (const piece of pieces(size)) {
      if (!sink.write(piece)) await once(sink, 'drain');
      sent += piece.length;
    }
  };
  const type = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(size) };
  return growthWhile(
    site,
    () => sent / size,
    async () => drained(await client.send(204, 'PUT', `/v2/images/${id}/file`, body, type)),
  );
}

const raw = { disk_format: 'raw', container_format: 'bare' };

export function steadyTable(
  figures: SteadyFigures,
  { requests, long, large, windowMs }: SteadyOptions,
): string {
  const grown = (title: string, all: readonly Growth[]): string =>
    aligned([
      [title, 'first fifth', 'last fifth', 'most', 'times', `${flat} x`],
      ...all.map(({ part, first, last, most }) => [
        ...[part, short(first), short(last), short(most), `${short(last / first)} x`],
        last / first <= flat ? 'reached' : 'missed',
      ]),
    ]);
  const slope = figures.overRequests
    .filter(({ part }) => part === 'all')
    .map(({ first, last }) => ((last - first) / (0.8 * requests)) * 1000);
  const delays = Object.entries(figures.loopDelays).map(([part, ms]) => [
    ...[part, short(ms), ms < longestDelayMs ? 'reached' : 'missed'],
  ]);
  const [one = {}, two = {}] = [figures.gateways['1'], figures.gateways['2']];
  const percent = (share: number | undefined): string => `${Math.round(100 * (share ?? 0))} %`;
  const rates = Object.keys(one).map((what) => {
    const [by1, by2] = [one[what], two[what]];
    const times = (by2?.perSecond ?? 0) / (by1?.perSecond ?? 1);
    return [
      ...[what, short(by1?.perSecond), percent(by1?.busy)],
      ...[short(by2?.perSecond), percent(by2?.busy), `${short(times)} x`],
    ];
  });
  return [
    grown(`MiB over ${short(requests)} requests`, figures.overRequests),
    `${slope.map(short)} MiB more with each 1,000 requests`,
    grown(`MiB over an upload of ${short(long / 1024 ** 2)} MiB`, figures.overUpload),
    aligned([
      ['event loop delay, p99 ms', `of ${windowMs} ms at most`, `${longestDelayMs} ms`],
      ...delays,
    ]),
    `while ${uploadsAtOnce} uploads of ${short(large / 1024 ** 2)} MiB run; the 10 ms of the probe itself are taken off`,
    aligned([
      ['requests a second', '1 gateway', 'cores busy', '2 gateways', 'cores busy', 'times'],
      ...rates,
    ]),
  ].join('\n\n');
}
