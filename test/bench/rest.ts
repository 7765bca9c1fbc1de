import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cpuMsOf } from './cpu.ts';

/** Of one core: an installation that nobody asks for anything has its heartbeats and looks after its log. */
const idleShare = 0.25;

/**
 * Waits until nothing is left to do of what was asked before: no dirty pages of anybody, and processes that
 * have been idle for `ms`; so many times that at most: some never rest. Where no processes are known, `ms` has to do.
 */
export async function atRest(pids: readonly number[], ms = 1_000, patience = 30): Promise<void> {
  await promisify(execFile)('sync');
  for (let times = 0; times < patience; times += 1) {
    const before = cpuMsOf(pids);
    await delay(ms);
    if (cpuMsOf(pids) - before < idleShare * ms) return;
  }
}
