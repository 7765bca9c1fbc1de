import { imagesProjection } from '../../projections/images/projection.ts';
import { caughtUp, seedThroughLog, vacuumed } from './catalogue.ts';
import { sender } from './load.ts';
import { rebuilt } from './log.ts';
import { atRest } from './rest.ts';
import { medians, newRound, type PhaseFigures, type RoundFigures } from './round.ts';
import { type Site, startSite } from './site.ts';
import { aligned, short } from './table.ts';

export interface ScaleOptions {
  /** Many, and few to compare them with. */
  readonly images: number;
  readonly few: number;
  /** Each question is asked this long at least, all rounds together, and so often in each. */
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
const rounds = 3;
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

/**
 * Two systems side by side, one with few images and one with many, asked in turn; what shows the images is made by the
 * projection from the log.
 */
export async function measureScale(options: ScaleOptions): Promise<ScaleFigures> {
  const { images, few: fewImages, ms } = options;
  const few: Filled = { site: await startSite(), ids: [] };
  const many: Filled = { site: await startSite(), ids: [] };
  const both = async (most: number) => {
    for (const { site } of [few, many]) await atRest(site.pids, ms / 3, patience);
    for (const one of [few, many]) await asked(one, options, most);
    const seen = { few: [] as RoundFigures[], many: [] as RoundFigures[] };
    for (let round = 0; round < rounds; round += 1) {
      const turns = [['few', few] as const, ['many', many] as const];
      for (const [name, one] of round % 2 === 0 ? turns : turns.reverse())
        seen[name].push(await asked(one, options, most));
    }
    return { few: medians(seen.few).phases, many: medians(seen.many).phases };
  };
  try {
    await seed(few, fewImages);
    const seededPerSecond = await seed(many, images);
    process.stderr.write(`${short(images)} images, ${short(seededPerSecond)} a second\n`);
    const withMemory = await both(keptQuestions);
    for (const one of [few, many]) one.site = await one.site.again(noMemory);
    const withoutMemory = await both(images);
    const rebuild = await rebuilt(many.site.daguerre, ['images']);
    return {
      ...{ few: fewImages, images, seededPerSecond, withoutMemory, withMemory },
      ...rebuild,
    };
  } finally {
    await Promise.all([few.site.end(), many.site.end()]);
  }
}

interface Filled {
  site: Site;
  ids: readonly string[];
}

/** Images a second, from the log until they are shown; resolves when everything else has them, too. */
async function seed(into: Filled, count: number): Promise<number> {
  const { postgresUrl } = into.site.daguerre;
  const began = performance.now();
  into.ids = await seedThroughLog(postgresUrl, { owner, count });
  await caughtUp(postgresUrl, imagesProjection.name);
  const seconds = (performance.now() - began) / 1000;
  await caughtUp(postgresUrl);
  await vacuumed(postgresUrl);
  return count / seconds;
}

/** Every question, of `most` different images at most. */
async function asked(
  { site, ids }: Filled,
  { ms, count }: ScaleOptions,
  most: number,
): Promise<RoundFigures> {
  const nth = choice(ids.length, Math.min(most, ids.length));
  const { ask, close } = sender(site.daguerre.url, 1);
  const get = (path: string, token: string) =>
    ask(200, 'GET', `/v2/images${path}`, undefined, { 'X-Auth-Token': token });
  const round = newRound([], { ms: ms / rounds, only: [] });
  const alone = { concurrency: 1, count };
  try {
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
    return round.figures();
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
