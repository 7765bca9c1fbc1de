import { readFileSync, renameSync } from 'node:fs';
import type { PassStep } from '../domain/pipeline-steps.ts';
import type { Environment } from '../infra/config/config.ts';

const sleepMs = 100;

/**
 * For fault tests: the file named by `DAGUERRE_TEST_CRASH_FILE` names a step; the first process that passes the step
 * takes the file away and dies as by `kill -9`. With `always STEP` the file stays, so every process dies there. With
 * `stop STEP` the first process is stopped until it gets a SIGCONT, and goes on.
 */
export function crashPoints(environment: Environment): PassStep {
  const file = environment.DAGUERRE_TEST_CRASH_FILE;
  if (file === undefined) return () => {};
  return (step) => {
    const wanted = contentOf(file);
    if (wanted !== step && wanted !== `always ${step}` && wanted !== `stop ${step}`) return;
    if (!wanted.startsWith('always ') && !taken(file)) return;
    const stops = wanted.startsWith('stop ');
    process.kill(process.pid, stops ? 'SIGSTOP' : 'SIGKILL');
    // The signal is delivered asynchronously: nothing after this step may run.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stops ? sleepMs : undefined);
  };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** Renaming decides between processes that pass at once. */
function taken(file: string): boolean {
  try {
    renameSync(file, `${file}.taken`);
    return true;
  } catch {
    return false;
  }
}
