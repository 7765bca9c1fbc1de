import { availableParallelism, loadavg } from 'node:os';

const usualMs = 5_000;
/** Tests themselves keep a machine so busy: so many that want to run, for each core. */
const usualLoad = 2;

/**
 * What a busy machine may add to a bound: the start of a process, the beat of a lease. The more wait for each core, the
 * longer both take.
 */
export function slackMs(): number {
  const [lastMinute = 0] = loadavg();
  return usualMs * Math.max(1, lastMinute / availableParallelism() / usualLoad);
}
