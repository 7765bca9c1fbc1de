import { setTimeout as delay } from 'node:timers/promises';
import type { Chance } from '../../faults/chance.ts';
import { type Heard, heardOf, persistently, type Subscriber } from './subscriber.ts';

const answerWithinMs = 20_000;
const pauseMs = 100;

/** Reads on from where the last page ended, each page from any gateway. */
export function pageSubscriber(urls: readonly string[], chance: Chance): Subscriber {
  const heard: Heard[] = [];
  let after = '0';
  const reading = persistently(async (signal) => {
    const answer = await fetch(
      `${chance.pick(urls)}/events/v1?after=${after}&limit=${1 + chance.int(100)}`,
      { signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]) },
    );
    if (answer.status !== 200) throw new Error(`a page was answered ${answer.status}`);
    const { events, next, head } = (await answer.json()) as {
      readonly events: readonly Readonly<Record<string, unknown>>[];
      readonly next: string;
      readonly head: string;
    };
    heard.push(...events.map(heardOf));
    after = next;
    if (next === head) await delay(pauseMs);
  });
  return {
    kind: 'pages',
    order: 'of the log',
    heard,
    interruptions: reading.failures,
    stop: reading.stop,
  };
}
