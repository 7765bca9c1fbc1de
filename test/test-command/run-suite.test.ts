import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { processesOf } from '../support/processes.ts';
import { type Outcome, runSuite } from '../support/run-suite.ts';
import { until } from '../support/until.ts';

let directory: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'suites-'));
});
after(() => rm(directory, { recursive: true, force: true }));

/** Runs test files of the given contents as one suite. */
async function outcomeOf(
  contents: readonly string[],
  { budgetSeconds = 120, stopping = new AbortController().signal } = {},
): Promise<Outcome> {
  const files = contents.map((_, index) => join(directory, `${index}.test.mjs`));
  for (const [index, file] of files.entries())
    await writeFile(file, `import { test } from 'node:test';\n${contents[index]}`);
  const suite = {
    name: 'sample',
    folder: 'sample',
    files,
    environment: { SAMPLE: 'told' },
    budgetSeconds,
    concurrency: 1,
    packages: [],
    postgres: false,
  };
  // biome-ignore lint/style/noProcessEnv: a suite inherits it, but for the mark that it is a test's own child
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  return runSuite(suite, directory, environment, stopping);
}

const names = (outcome: Outcome) => ({
  passed: outcome.passed.map(({ name }) => name),
  failed: outcome.failed.map(({ name }) => name),
});

describe('a suite', () => {
  test('tells what passed and what failed, and why', async () => {
    const outcome = await outcomeOf([
      `test('good', () => {});
       test('bad', () => { console.error('heard'); throw new Error('the reason'); });`,
    ]);
    assert.deepEqual(names(outcome), { passed: ['good'], failed: ['bad'] });
    assert.match(outcome.failed[0]?.why ?? '', /the reason/);
    assert.match(outcome.output, /heard/);
  });

  test('is told what its own environment says', async () => {
    const outcome = await outcomeOf([`test(String(process.env.SAMPLE), () => {});`]);
    assert.deepEqual(names(outcome), { passed: ['told'], failed: [] });
  });

  test('has failed when a test was left out', async () => {
    const outcome = await outcomeOf([
      `test('good', () => {}); test('left out', { skip: 'no tool' }, () => {});`,
    ]);
    assert.deepEqual(names(outcome), { passed: ['good'], failed: ['left out'] });
    assert.match(outcome.failed[0]?.why ?? '', /no tool/);
  });

  test('has failed when a file holds no test, or does not even load', async () => {
    const outcome = await outcomeOf(['', `throw new Error('at its start');`]);
    assert.deepEqual(
      outcome.failed.map(({ name }) => name.slice(-10)),
      ['0.test.mjs', '1.test.mjs'],
    );
    assert.match(outcome.output, /at its start/);
  });

  test('has failed when it leaves a process behind, which is ended', async () => {
    const outcome = await outcomeOf([
      `import { spawn } from 'node:child_process';
       test('good', () => { spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref(); });`,
    ]);
    assert.deepEqual(names(outcome), { passed: ['good'], failed: ['processes left behind'] });
    assert.match(outcome.failed[0]?.why ?? '', /sleep 600/);
    assert.deepEqual(sleeping(), []);
  });

  test('is ended when its time is over', async () => {
    const outcome = await outcomeOf(
      [
        `test('good', () => {}); test('endless', () => new Promise((end) => setTimeout(end, 600_000)));`,
      ],
      { budgetSeconds: 2 },
    );
    assert.ok(
      outcome.failed.some(({ name, why }) => name === 'the time budget' && /2 s/.test(why)),
    );
  });

  test('is ended with all that it started when the run is stopped', async () => {
    const stop = new AbortController();
    const running = outcomeOf(
      [
        `import { spawn } from 'node:child_process';
         test('endless', () => new Promise((end) => spawn('sleep', ['600']).on('exit', end)));`,
      ],
      { stopping: stop.signal },
    );
    await until('the test to start its process', () => sleeping().length > 0);
    stop.abort();
    await running;
    assert.deepEqual(sleeping(), []);
  });
});

const sleeping = () => processesOf(directory).filter(({ command }) => command.startsWith('sleep'));
