import { seedThroughLog } from './catalogue.ts';
import { sender } from './load.ts';
import { rebuilt } from './log.ts';
import { atRest } from './rest.ts';
import { newRound, type PhaseFigures } from './round.ts';
import { type Site, startSite } from './site.ts';
import { aligned, short } from './table.ts';

export interface ScaleOptions {
  /** Many, and few to compare them with. */
  readonly images: number;
  readonly few: number;
  /** Each question is asked this long at least, and so often. */
  readonly ms: number;
  readonly count: number;
}

/** By question, asked one at a time. */
type Asked = ReadonlyMap<string, PhaseFigures>;

export interface ScaleFigures {
  readonly few: number;
  readonly images: number;
  /** Where gateways keep no answers, and where they keep them as they are set by default. */
  readonly withoutMemory: { readonly few: Asked; readonly many: Asked };
  readonly withMemory: { readonly few: Asked; readonly many: Asked };
  /** From the log until all images are shown, beside whatever else reads the log. */
  readonly seededPerSecond: number;
  readonly rebuiltEvents: number;
  readonly rebuildPerSecond: number;
}

const owner = 'bench';
const callers = { member: `someone:${owner}:member`, admin: 'someone:other:admin' } as const;
const noMemory = ['--answer-cache-mib', '0'];
const mostTimes = 1.5;
const rebuildReach = 50_000;
/** A prime, so that neighbours in time are none in the catalogue. */
const stride = 7919;

/** Of so many images; each has as full a page at a thousand as at a million. */
const listings = (images: number): Readonly<Record<string, (turn: number) => string>> => ({
  list: () => '',
  'list by name': (turn) => `&name=seed-${String(1 + nth(turn, images)).padStart(6, '0')}`,
  'list by a property of many': (turn) => `&os_version=${1 + (turn % 30)}`,
  'list by a property of one': (turn) => `&build=build-${1 + nth(turn, images)}`,
  'list by tag': (turn) => `&tag=seed-tag-${turn % 20}`,
  'list by property and tag': (turn) => `&os_distro=debian&tag=seed-tag-${4 * (turn % 5)}`,
});
const nth = (turn: number, images: number): number => (turn * stride) % images;

/** A system of its own, with few images and then with many; what shows them is made by the projection from the log. */
export async function measureScale(options: ScaleOptions): Promise<ScaleFigures> {
  const { images, few } = options;
  let site = await startSite();
  const ids: string[] = [];
  const seed = async (count: number): Promise<number> => {
    const began = performance.now();
    const { postgresUrl } = site.daguerre;
    ids.push(...(await seedThroughLog(postgresUrl, { owner, from: ids.length, count })));
    return (count / (performance.now() - began)) * 1000;
  };
  const both = async () => {
    const withMemory = await asked(site, ids, options);
    site = await site.again(noMemory);
    return { withMemory, withoutMemory: await asked(site, ids, options) };
  };
  try {
    await seed(few);
    const ofFew = await both();
    site = await site.again([]);
    const seededPerSecond = await seed(images - few);
    process.stderr.write(`${short(images)} images, ${short(seededPerSecond)} a second\n`);
    const ofMany = await both();
    return {
      ...{ few, images, seededPerSecond },
      withoutMemory: { few: ofFew.withoutMemory, many: ofMany.withoutMemory },
      withMemory: { few: ofFew.withMemory, many: ofMany.withMemory },
      ...(await rebuilt(site.daguerre, ['images'])),
    };
  } finally {
    await site.end();
  }
}

/** Everything once to warm up, then so that it counts. */
async function asked(
  { daguerre, pids }: Site,
  ids: readonly string[],
  { ms, count }: ScaleOptions,
): Promise<Asked> {
  const { ask, close } = sender(daguerre.url, 1);
  const get = (path: string, token: string) =>
    ask(200, 'GET', `/v2/images${path}`, undefined, { 'X-Auth-Token': token });
  const askAll = async (least: number): Promise<Asked> => {
    const round = newRound([], { ms: least, only: [] });
    const alone = { concurrency: 1, count };
    await round.measure({
      ...{ name: 'show', ...alone },
      one: (turn) => get(`/${ids[nth(turn, ids.length)]}`, callers.admin),
    });
    for (const [what, queryOf] of Object.entries(listings(ids.length)))
      for (const [who, token] of Object.entries(callers))
        await round.measure({
          ...{ name: `${what}, ${who}`, ...alone },
          one: (turn) => get(`?limit=25${queryOf(turn)}`, token),
        });
    return round.figures().phases;
  };
  try {
    await atRest(pids, ms / 3);
    await askAll(ms / 3);
    return await askAll(ms);
  } finally {
    close();
  }
}

export function scaleTable(figures: ScaleFigures): string {
  const { few, images, withMemory, withoutMemory } = figures;
  const of = ({ few, many }: ScaleFigures['withMemory'], name: string): string[] => {
    const [less, more] = [few.get(name)?.p50Ms ?? Number.NaN, many.get(name)?.p50Ms ?? Number.NaN];
    const times = more / less;
    return [
      short(less),
      short(more),
      `${short(times)} x`,
      times <= mostTimes ? 'reached' : 'missed',
    ];
  };
  const names = [...withoutMemory.few.keys()];
  const sizes = [`at ${short(few)}`, `at ${short(images)}`, 'times', `${mostTimes} x`];
  const { rebuiltEvents, rebuildPerSecond, seededPerSecond } = figures;
  const rebuild = rebuildPerSecond >= rebuildReach ? 'reached' : 'missed';
  return [
    aligned([
      ['p50 ms, asked alone', ...sizes, ...sizes.map((size) => `${size}, kept`)],
      ...names.map((name) => [name, ...of(withoutMemory, name), ...of(withMemory, name)]),
    ]),
    `kept: gateways keep answers in memory, as they are set by default; before that they keep none`,
    `seeded ${short(seededPerSecond)} images a second, from the log until shown`,
    `rebuild of ${short(rebuiltEvents)} events: ${short(rebuildPerSecond)} a second; reach ${short(rebuildReach)}: ${rebuild}`,
  ].join('\n');
}
