import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { chanceOf } from './chance.ts';
import { problemsAtRest } from './checker.ts';
import { faults } from './faults.ts';
import { startLoad } from './load.ts';
import { logWatch } from './log-watch.ts';
import { oracle } from './oracle.ts';
import { probe } from './probe.ts';
import { count, type Tally, tally, total } from './tally.ts';
import { startTree, type Tree } from './tree.ts';

export interface CampaignOptions {
  readonly runs: number;
  /** A run is repeated by the same seed; what the machine does in between is its own. */
  readonly seed: number;
  readonly clients: number;
  readonly args: readonly string[];
  say(line: string): void;
}

export interface Report extends Tally {
  readonly seed: number;
  readonly kills: Record<string, number>;
  runs: number;
  longestUnendedMs: number;
  unavailablePercent: number;
  events: number;
  takeOvers: number;
  uploadsAtKill: number;
}

/** P2, and what a busy machine may add: the start of a process, and the beat of a lease. */
export const unendedBoundMs = 10_000;
export const slackMs = 5_000;
/** They go at the next sweeps, but on a busy machine sweeps wait for everything else. */
const sweptWithinMs = 30_000;
/** Clients go on after each loss for this many successes: the system does not only come to rest, it works. */
const successesAfterwards = 10;

/** One system, many losses; after each, everything that was answered is checked. Stops at the first run that fails. */
export async function campaign(options: CampaignOptions): Promise<Report> {
  const { runs, seed, clients, args, say } = options;
  const chance = chanceOf(seed);
  const counts = tally();
  const report: Report = Object.assign(counts, {
    seed,
    kills: {},
    runs: 0,
    longestUnendedMs: 0,
    unavailablePercent: 0,
    events: 0,
    takeOvers: 0,
    uploadsAtKill: 0,
  });
  const tree = await startTree(args);
  const { api, dataDir } = tree;
  const postgresUrl = tree.now().postgresUrl;
  const witness = oracle();
  const watch = logWatch(postgresUrl);
  const availability = probe(api);
  const load = startLoad({
    api,
    oracle: witness,
    chance: chance.fork('load'),
    tally: counts,
    clients,
  });
  const verified = new Set<string>();
  const line = faults(chance.fork('faults'));
  let finished = false;
  try {
    while (report.runs < runs && report.problems.length === 0) {
      const began = performance.now();
      const fault = line.next().value;
      const own = chance.fork(`run ${report.runs}`);
      report.uploadsAtKill += load.uploading();
      const over = await fault.strike(tree, load, own);
      count(report.kills, fault.name);
      const before = total(counts.acknowledged);
      await until(
        'clients to be served again',
        () => total(counts.acknowledged) >= before + successesAfterwards,
      );
      await load.pause();
      await rest(watch);
      const unended = watch.longestUnended(over);
      report.longestUnendedMs = Math.max(report.longestUnendedMs, unended);
      if (unended > unendedBoundMs + slackMs)
        report.problems.push(`an upload was left alone for ${unended} ms`);
      const checked = {
        api,
        oracle: witness,
        watch,
        dataDir,
        postgresUrl,
        chance: own,
        sweptWithinMs,
      };
      report.problems.push(...(await problemsAtRest(checked, verified)));
      report.runs += 1;
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      say(`${report.runs}/${runs} ${fault.name}: settled ${unended} ms after, ${seconds} s in all`);
      if (report.problems.length > 0) say(`  ${report.problems.join('\n  ')}`);
      load.resume();
    }
    await load.pause();
    finished = true;
  } finally {
    await availability.stop();
    report.unavailablePercent = availability.unavailablePercent();
    report.events = watch.events();
    report.takeOvers = watch.takeOvers();
    if (!finished || report.problems.length > 0)
      say(`log of the tree:\n${tree.now().log().slice(-8000)}`);
    await endTree(tree);
  }
  return report;
}

/** No upload goes on and all is shown, however long it takes: how long it may take is judged by the log's own times. */
async function rest(watch: ReturnType<typeof logWatch>): Promise<void> {
  await until('every upload to end and be shown', async () => {
    await watch.read();
    return watch.saving().length === 0 && watch.isShown();
  });
}

async function endTree(tree: Tree): Promise<void> {
  await Promise.race([tree.stop(), delay(60_000, undefined, { ref: false })]);
}

export function summary(report: Report): string {
  const { kills, acknowledged, problems } = report;
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .sort()
      .map(([name, times]) => `${name} ${times}`)
      .join(', ');
  return [
    `seed ${report.seed}: ${report.runs} runs, ${problems.length} problems`,
    `killed: ${list(kills)}`,
    `acknowledged: ${total(acknowledged)} (${list(acknowledged)})`,
    `sent ${report.sent}, unanswered ${report.unanswered}, unavailable ${report.unavailable}, hung up ${report.hungUp}; ${report.events} events, ${report.takeOvers} take-overs`,
    `an interrupted upload settled within ${report.longestUnendedMs} ms; lists were unavailable ${report.unavailablePercent.toFixed(1)} % of the time`,
  ].join('\n');
}
