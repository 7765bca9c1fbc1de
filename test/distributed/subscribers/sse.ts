import { setTimeout as delay } from 'node:timers/promises';
import type { Chance } from '../../faults/chance.ts';
import { openStream } from '../../outside/sse.ts';
import { type Heard, heardOf, persistently, type Subscriber } from './subscriber.ts';

const lookEveryMs = 20;

/** Comes again to any gateway, with the id that it saw last. */
export function sseSubscriber(urls: readonly string[], chance: Chance): Subscriber {
  const heard: Heard[] = [];
  let lastId = '0';
  const reading = persistently(async (signal) => {
    const stream = await openStream(chance.pick(urls), '/events/v1/stream', {
      'Last-Event-ID': lastId,
    });
    let over = stream.status !== 200;
    void stream.ended.then(() => {
      over = true;
    });
    let taken = 0;
    const take = (): void => {
      for (const { id, document } of stream.events.slice(taken)) {
        heard.push(heardOf(document));
        lastId = id;
        taken += 1;
      }
    };
    while (!over && !signal.aborted) {
      await delay(lookEveryMs);
      take();
    }
    stream.close();
    take();
    if (!signal.aborted) throw new Error('the stream has ended');
  });
  return {
    kind: 'SSE',
    order: 'of the log',
    heard,
    interruptions: reading.failures,
    stop: reading.stop,
  };
}
