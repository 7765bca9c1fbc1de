import { setTimeout as delay } from 'node:timers/promises';
import { type PipelineStep, pipelineSteps } from '../../domain/pipeline-steps.ts';
import type { PartName } from '../support/daguerre.ts';
import { until } from '../support/until.ts';
import type { Chance } from './chance.ts';
import type { Load } from './load.ts';
import type { System } from './system.ts';
import type { Tree } from './tree.ts';

/** One way to lose a process while clients are at work. */
export interface Fault<Of extends System = Tree> {
  readonly name: string;
  /** Resolves when everything runs again. */
  strike(system: Of, load: Load, chance: Chance): Promise<Struck>;
}

export interface Struck {
  /** When the loss was over for clients, by `Date.now`. */
  readonly overAt: number;
  /** Uploads that were on their way at the kill. */
  readonly uploads: number;
}

/** Uploads that are on their way when a process is killed at random. */
const activeUploads = 2;
const longestMomentMs = 250;

/** Until clients upload. */
export const busy = (load: Load): Promise<true> =>
  until(`${activeUploads} uploads at once`, () => load.uploading() >= activeUploads, {
    everyMs: 5,
  });

const randomMoment = async (load: Load, chance: Chance): Promise<void> => {
  await busy(load);
  await delay(chance.int(longestMomentMs));
};

/** After the part's death: it runs again, under another id. */
async function again(tree: Tree, name: PartName, before: number): Promise<void> {
  await until(`another ${name}`, () => {
    const now = tree.now().parts()[name];
    return now !== undefined && now !== before;
  });
  await tree.answers();
}

export const killed = (name: PartName): Fault => ({
  name: `kill ${name}`,
  async strike(tree, load, chance) {
    await randomMoment(load, chance);
    const uploads = load.uploading();
    await again(tree, name, await tree.now().kill(name));
    return { overAt: Date.now(), uploads };
  },
});

const diesAt = (step: PipelineStep): Fault => ({
  name: `at ${step}`,
  async strike(tree, load) {
    const part = partOf(step);
    await busy(load);
    const before = await tree.now().part(part);
    await tree.dieAt(step);
    await until(`a process to die at ${step}`, tree.died, { timeoutMs: 60_000 });
    const uploads = load.uploading();
    await again(tree, part, before);
    return { overAt: Date.now(), uploads };
  },
});

/** The sweeper runs in the worker. */
const partOf = (step: PipelineStep): PartName =>
  step.startsWith('gateway.') ? 'gateway' : step.startsWith('projector.') ? 'projector' : 'worker';

const wholeTree: Fault = {
  name: 'kill everything',
  async strike(tree, load, chance) {
    await randomMoment(load, chance);
    const uploads = load.uploading();
    await tree.now().killAll();
    await tree.restart();
    return { overAt: Date.now(), uploads };
  },
};

const parentAlone: Fault = {
  name: 'kill the parent',
  async strike(tree, load, chance) {
    await randomMoment(load, chance);
    const uploads = load.uploading();
    await tree.now().killParent();
    await tree.restart();
    return { overAt: Date.now(), uploads };
  },
};

const steps = pipelineSteps.map(diesAt);
const everyRound = [
  ...steps,
  ...Array.from({ length: 8 }, () => killed('gateway')),
  ...Array.from({ length: 8 }, () => killed('worker')),
  ...Array.from({ length: 5 }, () => killed('projector')),
  ...Array.from({ length: 6 }, () => killed('postgres')),
  ...Array.from({ length: 4 }, () => wholeTree),
  ...Array.from({ length: 2 }, () => parentAlone),
];

/** As many faults as asked for: each round has every step and every part, in an order of its own. */
export function* faults(chance: Chance): Generator<Fault> {
  for (;;) yield* chance.shuffled(everyRound);
}

export const faultsPerRound = everyRound.length;
