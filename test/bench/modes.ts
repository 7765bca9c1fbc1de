import { writeFile } from 'node:fs/promises';
import { againstTable, measureAgainst } from './against.ts';
import { chart } from './chart.ts';
import type { ClientEnvironment } from './keystone.ts';
import type { Options } from './options.ts';
import type { RoundFigures } from './round.ts';
import { measureScale, type ScaleFigures, scaleTable } from './scale.ts';
import { measureSteady, steadyTable } from './steady.ts';

interface Told {
  /** For people. */
  readonly text: string;
  readonly json: object;
}

const mebibyte = 1024 ** 2;
const counts = {
  full: {
    work: { images: 10_000, requests: 200, uploads: 50, large: 1024 * mebibyte },
    scale: { few: 1_000, count: 50 },
    steady: { requests: 100_000, long: 20 * 1024 * mebibyte, windowMs: 4_000 },
    seconds: 3,
  },
  quick: {
    work: { images: 60, requests: 20, uploads: 4, large: 24 * mebibyte },
    scale: { few: 50, count: 3 },
    steady: { requests: 400, long: 64 * mebibyte, windowMs: 300 },
    seconds: 0.03,
  },
};

/** What is asked for instead of the usual figures, if anything. */
export function modeOf(
  options: Options,
  env: ClientEnvironment,
): (() => Promise<Told>) | undefined {
  if (options.against !== undefined) return () => against(options.against ?? '', options, env);
  if (options.scale !== undefined) return () => scale(Number(options.scale), options);
  return options.steady ? () => steady(options) : undefined;
}

const countsFor = ({ quick }: Options) => (quick ? counts.quick : counts.full);
const msOf = (options: Options): number =>
  1_000 * Number(options.seconds ?? countsFor(options).seconds);
const listOf = (text: string): string[] => text.split(',').filter(Boolean);

async function against(other: string, options: Options, env: ClientEnvironment): Promise<Told> {
  const { member, seeded, keep } = options;
  const { work: usual } = countsFor(options);
  const images = Number(options.images ?? usual.images);
  const work = { ...usual, images, ms: msOf(options), only: listOf(options.only) };
  const comparison = await measureAgainst({
    ...{ other, work, seeded, keep, env, rounds: Number(options.rounds) },
    otherPids: listOf(options['against-pids']).map(Number),
    ...(member === undefined ? {} : { member }),
  });
  const { ours, others, verdicts, ...rest } = comparison;
  if (options.chart !== undefined) await writeFile(options.chart, chart(verdicts));
  return {
    text: againstTable(comparison),
    json: { work, verdicts, ...rest, ours: plain(ours), others: plain(others) },
  };
}

async function scale(images: number, options: Options): Promise<Told> {
  const { few, count } = countsFor(options).scale;
  const figures = await measureScale({ images, few, count, ms: msOf(options) });
  const both = ({ few, many }: ScaleFigures['withMemory']) => ({
    few: Object.fromEntries(few),
    many: Object.fromEntries(many),
  });
  const { withMemory, withoutMemory, ...rest } = figures;
  const kept = { withMemory: both(withMemory), withoutMemory: both(withoutMemory) };
  return { text: scaleTable(figures), json: { ...rest, ...kept } };
}

async function steady(options: Options): Promise<Told> {
  const { steady: usual, work } = countsFor(options);
  const asked = {
    requests: Number(options.requests ?? usual.requests),
    long: options.gib === undefined ? usual.long : Number(options.gib) * 1024 * mebibyte,
    ...{ large: work.large, ms: msOf(options), windowMs: usual.windowMs },
  };
  const figures = await measureSteady(asked);
  return { text: steadyTable(figures, asked), json: { ...asked, ...figures } };
}

const plain = ({ phases, ...rest }: RoundFigures) => ({
  ...rest,
  phases: Object.fromEntries(phases),
});
