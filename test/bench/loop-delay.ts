import { setTimeout as delay } from 'node:timers/promises';

/** By part: the highest p99 of any window, ms. */
export type LoopDelays = Readonly<Record<string, number>>;

/** A process looks this often how late it is; what it tells has this in it. */
const probeMs = 10;
const line = /^nodejs_eventloop_lag_p99_seconds\{part="([a-z-]+)"\} (\S+)$/gm;

/**
 * How late the event loops of a site's processes are while `task` runs. Each tells the p99 of the time since it told the
 * last: a gateway as it is asked, every `windowMs`, the others every four seconds.
 */
export async function loopDelaysWhile(
  url: string,
  windowMs: number,
  task: () => Promise<unknown>,
): Promise<LoopDelays> {
  const ask = async (): Promise<LoopDelays> => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const told = [...text.matchAll(line)].map(([, part, seconds]) => [
      part,
      Math.max(0, Number(seconds) * 1000 - probeMs),
    ]);
    return Object.fromEntries(told);
  };
  // What was told of the time before is told away.
  await delay(windowMs);
  await ask();
  await delay(windowMs);
  await ask();
  const seen: LoopDelays[] = [];
  let over = false;
  const doing = task().finally(() => {
    over = true;
  });
  while (!over) {
    await Promise.race([doing, delay(windowMs)]);
    seen.push(await ask());
  }
  await doing;
  await delay(windowMs);
  seen.push(await ask());
  const parts = [...new Set(seen.flatMap((one) => Object.keys(one)))];
  return Object.fromEntries(
    parts.map((part) => [part, Math.max(...seen.map((one) => one[part] ?? 0))]),
  );
}
