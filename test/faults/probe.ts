import { setTimeout as delay } from 'node:timers/promises';
import type { Api } from './api.ts';

const everyMs = 50;

/** Asks for a list again and again; what part of the time does it get none? */
export function probe(api: Api) {
  let asked = 0;
  let answered = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const answer = await api.json('GET', '/v2/images?limit=1');
      asked += 1;
      if (answer.kind === 'answered' && answer.status === 200) answered += 1;
      await delay(everyMs);
    }
  };
  const running = run();
  return {
    unavailablePercent: (): number => (asked === 0 ? 0 : (100 * (asked - answered)) / asked),
    async stop(): Promise<void> {
      stopped = true;
      await running;
    },
  };
}
