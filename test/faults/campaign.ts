import { until } from '../support/until.ts';
import { type Chance, chanceOf } from './chance.ts';
import { problemsAtRest } from './checker.ts';
import type { Fault } from './faults.ts';
import { startLoad } from './load.ts';
import { logWatch } from './log-watch.ts';
import { oracle } from './oracle.ts';
import { probe } from './probe.ts';
import { slackMs } from './slack.ts';
import type { System } from './system.ts';
import { count, kinds, type Problem, type Tally, tally, total } from './tally.ts';

export interface CampaignOptions<Of extends System> {
  start(): Promise<Of>;
  readonly runs: number;
  /** A run is repeated by the same seed; what the machine does in between is its own. */
  readonly seed: number;
  readonly clients: number;
  /** What is done to the system. */
  readonly faultsOf: (chance: Chance) => Iterable<Fault<Of>>;
  /** What else must hold after each, beside what clients see. */
  readonly alsoWrong?: (system: Of) => Promise<readonly Problem[]>;
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

/** P2. */
export const unendedBoundMs = 10_000;
/** They go at the next sweeps, but on a busy machine sweeps wait for everything else. */
const sweptWithinMs = 30_000;
/** Clients go on after each loss for this many successes: the system does not only come to rest, it works. */
const successesAfterwards = 10;

/** One system, many losses; after each, everything that was answered is checked. Stops at the first run that fails. */
export async function campaign<Of extends System>(options: CampaignOptions<Of>): Promise<Report> {
  const { runs, seed, clients, say, faultsOf, alsoWrong } = options;
  const chance = chanceOf(seed);
  const report = newReport(seed);
  const { problems } = report;
  const system = await options.start();
  const { api, postgresUrl, stagingDir, storeDir } = system;
  const witness = oracle();
  const watch = logWatch(postgresUrl);
  const availability = probe(api);
  const load = startLoad({
    api,
    oracle: witness,
    chance: chance.fork('load'),
    tally: report,
    clients,
  });
  const places = { api, postgresUrl, stagingDir, storeDir };
  const checked = { ...places, oracle: witness, watch, sweptWithinMs };
  const verified = new Set<string>();
  const successes = (): number => total(report.acknowledged);

  const run = async (fault: Fault<Of>, own: Chance): Promise<string> => {
    const { overAt, uploads } = await fault.strike(system, load, own);
    count(report.kills, fault.name);
    report.uploadsAtKill += uploads;
    const enough = successes() + successesAfterwards;
    await until('clients to be served again', () => successes() >= enough);
    await load.pause();
    await rest(watch);
    const unended = watch.longestUnended(overAt);
    report.longestUnendedMs = Math.max(report.longestUnendedMs, unended);
    if (unended > unendedBoundMs + slackMs())
      problems.push({ kind: 'stuck', what: `an upload was left alone for ${unended} ms` });
    problems.push(...(await problemsAtRest({ ...checked, chance: own }, verified)));
    problems.push(...((await alsoWrong?.(system)) ?? []));
    load.resume();
    return `${fault.name}: ${uploads} uploads interrupted, settled ${unended} ms after`;
  };

  try {
    for (const fault of faultsOf(chance.fork('faults'))) {
      const began = performance.now();
      const told = await run(fault, chance.fork(`run ${report.runs}`));
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      report.runs += 1;
      say(`${report.runs}/${runs} ${told} (${seconds} s)`);
      if (report.runs === runs || problems.length > 0) break;
    }
    await load.pause();
  } catch (error) {
    problems.push({ kind: 'answer', what: `run ${report.runs + 1}: ${error}` });
  } finally {
    await availability.stop();
    Object.assign(report, {
      unavailablePercent: availability.unavailablePercent(),
      events: watch.events(),
      takeOvers: watch.takeOvers(),
    });
    if (problems.length > 0) say(`its log:\n${system.log().slice(-8000)}`);
    await system.stop();
  }
  return report;
}

const newReport = (seed: number): Report => ({
  ...tally(),
  seed,
  kills: {},
  runs: 0,
  longestUnendedMs: 0,
  unavailablePercent: 0,
  events: 0,
  takeOvers: 0,
  uploadsAtKill: 0,
});

/** No upload goes on and all is shown, however long it takes: how long it may take is judged by the log's own times. */
async function rest(watch: ReturnType<typeof logWatch>): Promise<void> {
  await until('every upload to end and be shown', async () => {
    await watch.read();
    return watch.unfinished().length === 0 && watch.isShown();
  });
}

/** The seed and every count. */
export function summary(report: Report): string {
  const { kills, acknowledged, problems } = report;
  const list = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .sort()
      .map(([name, times]) => `${name} ${times}`)
      .join(', ');
  const wrong = kinds.map(
    (kind) => `${kind} ${problems.filter((one) => one.kind === kind).length}`,
  );
  return [
    `seed ${report.seed}: ${report.runs} runs; problems: ${wrong.join(', ')}`,
    `killed: ${list(kills)}; ${report.uploadsAtKill} uploads were on their way`,
    `acknowledged: ${total(acknowledged)} (${list(acknowledged)})`,
    `requests: ${report.sent}, unanswered ${report.unanswered}, hung up ${report.hungUp}; ${report.events} events, ${report.takeOvers} take-overs`,
    `an interrupted upload settled within ${report.longestUnendedMs} ms; lists were unavailable ${report.unavailablePercent.toFixed(1)} % of the time`,
  ].join('\n');
}
