import { setTimeout as delay } from 'node:timers/promises';

/** Calls `work` so many times, `perSecond` of them begun each second whether or not those before are done. */
export async function paced<Result>(
  count: number,
  perSecond: number,
  work: () => Promise<Result>,
): Promise<readonly Result[]> {
  const working: Promise<Result>[] = [];
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    await delay(Math.max(0, start + (index * 1000) / perSecond - performance.now()));
    working.push(work());
  }
  return Promise.all(working);
}
