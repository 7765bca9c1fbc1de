import { imagesProjection } from '../../projections/images/projection.ts';
import { caughtUp, seedThroughLog, vacuumed } from './catalogue.ts';
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
const patience = 1_000;
const mostTimes = 1.5;
const rebuildReach = 50_000;
/** A prime, so that neighbours in time are none in the catalogue. */
const stride = 7919;

/** Where answers are kept, so many are asked for in turn, of few images as of many: all find room in memory. */
const keptQuestions = 200;

/** `nth` names an image; each question has as full a page at a thousand images as at a million. */
const listings = (
  nth: (turn: number) => number,
): Readonly<Record<string, (turn: number) => string>> => ({
  list: () => '',
  'list by name': (turn) => `&name=seed-${String(1 + nth(turn)).padStart(6, '0')}`,
  'list by a property of many': (turn) => `&os_version=${1 + (turn % 30)}`,
  'list by a property of one': (turn) => `&build=build-${1 + nth(turn)}`,
  'list by tag': (turn) => `&tag=seed-tag-${turn % 20}`,
  'list by property and tag': (turn) => `&os_distro=debian&tag=seed-tag-${4 * (turn % 5)}`,
});

/** From 0, spread over all images. */
const choice = (images: number, most: number) => (turn: number) =>
  Math.floor((((turn * stride) % most) * images) / most);

/** A system of its own, with few images and then with many; what shows them is made by the projection from the log. */
export async function measureScale(options: ScaleOptions): Promise<ScaleFigures> {
  const { images, few } = options;
  let site = await startSite();
  let ids: readonly string[] = [];
  const seed = async (count: number): Promise<number> => {
    const began = performance.now();
    const { postgresUrl } = site.daguerre;
    ids = ids.concat(await seedThroughLog(postgresUrl, { owner, from: ids.length, count }));
    await caughtUp(postgresUrl, imagesProjection.name);
    const seconds = (performance.now() - began) / 1000;
    await caughtUp(postgresUrl);
    await vacuumed(postgresUrl);
    return count / seconds;
  };
  const both = async () => {
    const withMemory = await asked(site, ids, options, keptQuestions);
    site = await site.again(noMemory);
    return { withMemory, withoutMemory: await asked(site, ids, options, ids.length) };
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

/** Everything once to warm up, then so that it counts; of `most` different images at most. */
async function asked(
  { daguerre, pids }: Site,
  ids: readonly string[],
  { ms, count }: ScaleOptions,
  most: number,
): Promise<Asked> {
  const nth = choice(ids.length, Math.min(most, ids.length));
  const { ask, close } = sender(daguerre.url, 1);
  const get = (path: string, token: string) =>
    ask(200, 'GET', `/v2/images${path}`, undefined, { 'X-Auth-Token': token });
  const askAll = async (least: number): Promise<Asked> => {
    const round = newRound([], { ms: least, only: [] });
    const alone = { concurrency: 1, count };
    await round.measure({
      ...{ name: 'show', ...alone },
      one: (turn) => get(`/${ids[nth(turn)]}`, callers.admin),
    });
    for (const [what, queryOf] of Object.entries(listings(nth)))
      for (const [who, token] of Object.entries(callers))
        await round.measure({
          ...{ name: `${what}, ${who}`, ...alone },
          one: (turn) => get(`?limit=25${queryOf(turn)}`, token),
        });
    return round.figures().phases;
  };
  try {
    // What else follows the log may be far behind.
    await atRest(pids, ms / 3, patience);
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
