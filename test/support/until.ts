import { setTimeout as delay } from 'node:timers/promises';

/** Far beyond what anything takes on a slow machine: it ends a wait that would never end. */
export const generousMs = 120_000;

/** Asks until the answer is not undefined or false. `what` completes "waited in vain for ...". */
export async function until<Value>(
  what: string,
  ask: () => Value | Promise<Value>,
  { timeoutMs = generousMs, everyMs = 20 } = {},
): Promise<Exclude<Value, undefined | false>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false)
      return answer as Exclude<Value, undefined | false>;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what} (${timeoutMs} ms)`);
    await delay(everyMs);
  }
}
