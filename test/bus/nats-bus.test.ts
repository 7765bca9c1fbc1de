import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type EventLog, LogUnavailable, type RecordedEvent } from '../../domain/event-log.ts';
import { upcast } from '../../domain/image/upcast.ts';
import type { Bus } from '../../infra/bus/bus.ts';
import { natsBus } from '../../infra/bus/nats/bus.ts';
import { connectNats } from '../../infra/bus/nats/connection.ts';
import { ownLane, ownStream } from '../../infra/bus/nats/lanes.ts';
import { place, type Site, site } from '../relay/harness.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';

const stream = ownStream(place.stream);

function busAt(here: Site, log: EventLog = here.log, silenceMs = 1_000): Bus {
  const connect = (signal: AbortSignal) =>
    connectNats({ urls: [here.server.url] }, { name: 'bus', log: silent, signal });
  const owner = `test-${Math.random().toString(36).slice(2)}`;
  const bus = natsBus({ connect, log, upcast, stream, owner, logger: silent, silenceMs });
  after(() => bus.close());
  return bus;
}

/** Follows from the start, and collects. */
function follower(bus: Bus, from = 0n) {
  const stop = new AbortController();
  const events: RecordedEvent[] = [];
  const follow = async (): Promise<void> => {
    for await (const batch of bus.follow(from, stop.signal)) {
      assert.notEqual(batch.length, 0);
      events.push(...batch);
    }
  };
  const following = follow();
  return {
    events,
    async stop() {
      stop.abort();
      await following;
    },
  };
}

/** Appends while `work` is done. */
async function underLoad({ life }: Site, work: () => Promise<void>): Promise<void> {
  let over = false;
  const load = async (): Promise<void> => {
    while (!over) {
      await life.goOn(5);
      await delay(5);
    }
  };
  const loading = load();
  await work().finally(() => {
    over = true;
  });
  await loading;
}

async function assertHeardAll(
  { log, seed }: Site,
  { events }: { readonly events: readonly RecordedEvent[] },
): Promise<void> {
  const all = await log.readAll(0n, 1_000_000);
  await until(
    `all ${all.length} events to be heard (seed ${seed})`,
    () => events.length >= all.length,
  );
  assert.deepEqual(events, all);
}

const own = { lane: () => ownLane(place) };
const more = (heard: { readonly events: readonly RecordedEvent[] }): Promise<unknown> => {
  const before = heard.events.length;
  return until('more to be heard', () => heard.events.length > before);
};

test('tells what the log has and what comes, as the log has it', async () => {
  const here = await site(own);
  await here.life.goOn(30);
  await here.startRelay();
  const heard = follower(busAt(here));
  await underLoad(here, async () => {
    for (let round = 0; round < 5; round++) await more(heard);
  });
  await assertHeardAll(here, heard);
  await heard.stop();
});

test('tells from messages, not from the log, while all is well', async () => {
  const here = await site(own);
  await here.startRelay();
  let reads = 0;
  const counting: EventLog = {
    ...here.log,
    readAll(...question) {
      reads += 1;
      return here.log.readAll(...question);
    },
  };
  const heard = follower(busAt(here, counting, 30_000));
  const connection = await here.server.connect();
  const manager = await connection.jetstreamManager();
  await until('it to listen', async () => {
    const { state } = await manager.streams.info(stream).catch(() => ({ state: undefined }));
    return state?.consumer_count === 1;
  });
  await here.life.goOn(200);
  await assertHeardAll(here, heard);
  assert.equal(reads, 1, 'the log is asked at the start alone');
  await connection.close();
  await heard.stop();
});

test('goes on without a server, without a relay, and without the stream, and with them again', async () => {
  const here = await site(own);
  const relay = await here.startRelay();
  const heard = follower(busAt(here, here.log, 200));
  await underLoad(here, async () => {
    await more(heard);
    await here.server.kill();
    await more(heard);
    await here.server.forget();
    await here.server.start();
    await more(heard);
    await relay.stop();
    await more(heard);
    await here.startRelay();
    await more(heard);
    here.server.pause();
    await more(heard);
    here.server.resume();
    await more(heard);
  });
  await assertHeardAll(here, heard);
  await heard.stop();
});

test('outlives a log that cannot be reached for a while', async () => {
  const here = await site(own);
  let away = true;
  const moody: EventLog = {
    ...here.log,
    async readAll(...question) {
      if (away) throw new LogUnavailable(new Error('away'));
      return here.log.readAll(...question);
    },
  };
  await here.life.goOn(20);
  await here.startRelay();
  const heard = follower(busAt(here, moody, 100));
  await here.life.goOn(20);
  await delay(50);
  assert.equal(heard.events.length, 0);
  away = false;
  await assertHeardAll(here, heard);
  await heard.stop();
});

test('a consumer goes with who followed', async () => {
  const here = await site(own);
  await here.startRelay();
  await here.life.goOn(5);
  const heard = follower(busAt(here));
  const connection = await here.server.connect();
  const manager = await connection.jetstreamManager();
  const consumers = async (): Promise<number | undefined> =>
    (await manager.streams.info(stream).catch(() => undefined))?.state.consumer_count;
  await until('it to listen', async () => (await consumers()) === 1);
  await heard.stop();
  await until('its consumer to go', async () => (await consumers()) === 0);
  await connection.close();
});
