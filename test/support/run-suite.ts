import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { killNow, processesOf } from './processes.ts';
import type { Said } from './reporter.ts';
import type { Suite } from './suites.ts';
import { until } from './until.ts';

export interface Failure {
  readonly name: string;
  readonly file: string;
  readonly why: string;
}

export interface Outcome {
  readonly suite: Suite;
  readonly seconds: number;
  readonly passed: readonly { readonly name: string; readonly ms: number }[];
  readonly failed: readonly Failure[];
  /** What tests had to tell, also when they passed: seeds, counts. */
  readonly notes: readonly string[];
  /** What a failed suite's files wrote to their output, the end of it. */
  readonly output: string;
}

const reporter = fileURLToPath(new URL('./reporter.js', import.meta.url));
/** Processes of a suite that ends in order are gone at once; a busy machine may need a moment. */
const leftoverGraceMs = 5_000;
const shownOutput = 12_000;

/**
 * Runs a suite's files, each in a process of its own, with a temporary directory of its own under `directory`. What
 * still runs there afterwards is ended, and counts as a failure.
 */
export async function runSuite(
  suite: Suite,
  directory: string,
  environment: Readonly<Record<string, string | undefined>>,
  stopping: AbortSignal,
): Promise<Outcome> {
  const began = performance.now();
  const temporary = await mkdtemp(join(directory, `${suite.name}-`));
  // As the system's own: tests run programs as other users, too.
  await chmod(temporary, 0o1777);
  const child = spawn(
    process.execPath,
    [
      '--enable-source-maps',
      '--test',
      `--test-concurrency=${suite.concurrency}`,
      `--test-reporter=${reporter}`,
      ...suite.files,
    ],
    {
      env: { ...environment, ...suite.environment, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  let late = false;
  const endNow = (): void => {
    child.kill('SIGKILL');
    for (const { pid } of processesOf(temporary)) killNow(pid);
  };
  const timer = setTimeout(() => {
    late = true;
    endNow();
  }, suite.budgetSeconds * 1000);
  stopping.addEventListener('abort', endNow);

  const passed: { name: string; ms: number }[] = [];
  const failed: Failure[] = [];
  const notes: string[] = [];
  const written = new Map<string, string>();
  const hear = (said: Said): void => {
    if (said.kind === 'wrote') written.set(said.file, (written.get(said.file) ?? '') + said.text);
    else if (said.kind === 'noted') notes.push(said.text);
    else if (said.kind === 'passed') passed.push(said);
    else failed.push(said);
  };
  for await (const line of createInterface({ input: child.stdout })) hear(JSON.parse(line));
  const [code, signal] = await exited;
  clearTimeout(timer);
  stopping.removeEventListener('abort', endNow);

  const about = (name: string, why: string): Failure => ({ name, file: suite.name, why });
  if (late) {
    const last = passed.at(-1)?.name ?? failed.at(-1)?.name ?? 'none';
    failed.push(
      about('the time budget', `not done after ${suite.budgetSeconds} s; last finished: ${last}`),
    );
  } else if (code !== 0 && failed.length === 0)
    failed.push(
      about('the run', `ended with ${signal ?? `exit code ${code}`} and told no failure`),
    );
  if (!late && !stopping.aborted) failed.push(...(await leftovers(suite, temporary)));
  else endNow();
  await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
  return {
    suite,
    seconds: (performance.now() - began) / 1000,
    passed,
    failed,
    notes,
    output: (failed.length === 0 ? [] : [...written])
      .map(([file, text]) => `--- output of ${file}\n${text.slice(-shownOutput)}`)
      .join('\n'),
  };
}

async function leftovers(suite: Suite, temporary: string): Promise<Failure[]> {
  const options = { timeoutMs: leftoverGraceMs };
  const none = () => processesOf(temporary).length === 0;
  if (await until('the suite to leave nothing', none, options).catch(() => false)) return [];
  const left = processesOf(temporary);
  for (const { pid } of left) killNow(pid);
  const why = left.map(({ pid, command }) => `still ran: ${pid} ${command}`).join('\n');
  return [{ name: 'processes left behind', file: suite.name, why }];
}
