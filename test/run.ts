import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../infra/postgres/embedded.ts';
import { ensurePackages } from './support/packages.ts';
import { runs } from './support/processes.ts';
import { type Outcome, runSuite } from './support/run-suite.ts';
import { allSuites, chosen, type Suite } from './support/suites.ts';

const usage = `Usage: npm test                       all suites
       npm test -- SUITE...           these suites
       npm test -- SUITE/BEGINNING    the files of a suite whose names begin so
       npm test -- --list             the suites and their time budgets
`;

type Environment = Readonly<Record<string, string | undefined>>;

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const shownSlowest = 8;

async function main(words: readonly string[], environment: Environment): Promise<number> {
  if (words.includes('--help')) {
    process.stdout.write(usage);
    return 0;
  }
  if (words.includes('--list')) {
    for (const { name, files, budgetSeconds } of allSuites())
      say(`${name.padEnd(24)}${files.length} files, ${budgetSeconds} s`);
    return 0;
  }
  const suites = chosenOrNone(words);
  if (suites === undefined) return 2;
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stopping.abort());
  ensurePackages([...new Set(suites.flatMap(({ packages }) => packages))], say);

  const directory = await mkdtemp(join(tmpdir(), 'daguerre-test-'));
  // Tests run programs as other users, who must get through to files of their own.
  await chmod(directory, 0o711);
  const stops = [
    removeBuilds,
    () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  ];
  try {
    const own = 'DAGUERRE_TEST_POSTGRES_URL' in environment;
    const postgres = own ? undefined : await sharedPostgres(suites, directory, stopping.signal);
    if (postgres !== undefined) stops.push(() => postgres.stop());
    const given = postgres === undefined ? {} : { DAGUERRE_TEST_POSTGRES_URL: postgres.url };
    const outcomes = await inLanes(suites, (suite) =>
      runSuite(suite, directory, { ...environment, ...given }, stopping.signal),
    );
    if (stopping.signal.aborted) return 130;
    return report(outcomes);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/**
 * `npm test` builds into `.build/test-PID`, so that runs side by side, and a Daguerre that runs from `dist`, keep the
 * files they began with. Removes this run's, and those of runs that are no more.
 */
async function removeBuilds(): Promise<void> {
  const own = fileURLToPath(new URL('..', import.meta.url));
  const builds = join(own, '..');
  for (const name of await readdir(builds)) {
    const [, pid] = /^test-(\d+)$/.exec(name) ?? [];
    if (pid === undefined) continue;
    if (name === basename(own) || !runs(Number(pid)))
      await rm(join(builds, name), { recursive: true, force: true });
  }
}

function chosenOrNone(words: readonly string[]): Suite[] | undefined {
  try {
    return chosen(allSuites(), words);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

/** One Postgres for all suites, each test file having a database of its own in it. */
async function sharedPostgres(
  suites: readonly Suite[],
  directory: string,
  signal: AbortSignal,
): Promise<EmbeddedPostgres | undefined> {
  if (!suites.some(({ postgres }) => postgres)) return undefined;
  const log = { info() {}, warn() {}, error() {} };
  return startEmbeddedPostgres({ dataDir: join(directory, 'shared'), log, signal });
}

/** Two at a time, or more where there are the cores; in the given order. */
async function inLanes(
  suites: readonly Suite[],
  runOne: (suite: Suite) => Promise<Outcome>,
): Promise<Outcome[]> {
  const waiting = [...suites];
  const outcomes: Outcome[] = [];
  const lane = async (): Promise<void> => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
      const outcome = await runOne(suite);
      say([summary(outcome), ...outcome.notes.map(indented)].join('\n'));
      outcomes.push(outcome);
    }
  };
  const lanes = Math.min(4, Math.max(2, availableParallelism()));
  await Promise.all(Array.from({ length: lanes }, lane));
  return outcomes;
}

const indented = (note: string): string => note.replaceAll(/^/gm, '    ');

function summary({ suite, passed, failed, seconds }: Outcome): string {
  const counts = `${passed.length} passed${failed.length > 0 ? `, ${failed.length} FAILED` : ''}`;
  const time = `${seconds.toFixed(1)} s of ${suite.budgetSeconds}`;
  return `${suite.name.padEnd(24)}${counts.padEnd(28)}${time}`;
}

/** Ends with the counts alone on a line; resolves with the exit code. */
function report(outcomes: readonly Outcome[]): number {
  for (const { suite, failed, output } of outcomes) {
    for (const { name, file, why } of failed)
      say(`\nFAILED ${suite.name}: ${name}\n  in ${file}\n${why}`);
    if (output !== '') say(`\n${output}`);
  }
  const slowest = outcomes
    .flatMap(({ suite, passed }) => passed.map((test) => ({ ...test, suite: suite.name })))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, shownSlowest);
  say('\nslowest:');
  for (const { suite, name, ms } of slowest)
    say(`  ${(ms / 1000).toFixed(1).padStart(6)} s  ${suite}: ${name}`);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed.length, 0);
  const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed.length, 0);
  say(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

// biome-ignore lint/style/noProcessEnv: this is the entry point, and suites inherit the environment
process.exitCode = await main(process.argv.slice(2), process.env).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  return 1;
});
