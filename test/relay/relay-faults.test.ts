import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { random } from '../projections/history.ts';
import { until } from '../support/until.ts';
import { place, type Site, site, strangeSubject } from './harness.ts';

/** Appends without a rest until `work` is over. */
async function underLoad({ life }: Site, work: () => Promise<void>): Promise<void> {
  let over = false;
  const load = async (): Promise<void> => {
    while (!over) {
      await life.goOn(20);
      await delay(5);
    }
  };
  const loading = load();
  try {
    await work();
  } finally {
    over = true;
    await loading;
  }
}

/** Until the relay has told more than it had. */
async function goesOn(relay: { position(): bigint }): Promise<void> {
  const before = relay.position();
  await until('the relay to go on', () => relay.position() > before);
}

test('a server that is killed and restarted under load gets all, once and in order', async (t) => {
  const here = await site();
  const relay = await here.startRelay();
  const next = random(here.seed);
  await underLoad(here, async () => {
    for (let round = 0; round < 5; round++) {
      await goesOn(relay);
      await delay(next() * 150);
      await (next() < 0.5 ? here.server.kill() : here.server.end());
      await here.server.start();
    }
    await goesOn(relay);
  });
  const found = await here.assertWhole();
  t.diagnostic(
    `seed ${here.seed}: ${found.length} messages, ${relay.warnings.length} stretches cut short`,
  );
});

test('a server that is paused under load, beyond the longest wait for an answer, gets all', async (t) => {
  const here = await site();
  const relay = await here.startRelay();
  await underLoad(here, async () => {
    await goesOn(relay);
    here.server.pause();
    await until('the relay to give up waiting', () => relay.warnings.length > 0);
    here.server.resume();
    await goesOn(relay);
  });
  const found = await here.assertWhole();
  t.diagnostic(`seed ${here.seed}: ${found.length} messages`);
});

test('a slow server, that rests again and again, gets all', async () => {
  const here = await site();
  const relay = await here.startRelay();
  await underLoad(here, async () => {
    for (let round = 0; round < 15; round++) {
      here.server.pause();
      await delay(60);
      here.server.resume();
      await delay(20);
    }
    await goesOn(relay);
  });
  await here.assertWhole();
});

test('a server whose JetStream directory was deleted under load is filled from the log', async (t) => {
  const here = await site();
  const relay = await here.startRelay();
  await underLoad(here, async () => {
    for (let round = 0; round < 3; round++) {
      await goesOn(relay);
      await here.server.kill();
      await here.server.forget();
      await here.server.start();
    }
    await goesOn(relay);
  });
  const found = await here.assertWhole();
  assert.equal(found[0]?.seq, 1, 'the stream that was filled is a new one');
  t.diagnostic(`seed ${here.seed}: ${found.length} messages`);
});

test('relays that are stopped at any moment under load leave no gap, no repeat and no disorder', async () => {
  const here = await site();
  const next = random(here.seed);
  await underLoad(here, async () => {
    for (let round = 0; round < 12; round++) {
      const relay = await here.startRelay();
      await goesOn(relay);
      await delay(next() * 40);
      await relay.stop();
    }
  });
  await here.startRelay();
  await here.assertWhole();
});

test('two relays that both believe to be the one leave the stream whole', async (t) => {
  const here = await site();
  const relays = [await here.startRelay(), await here.startRelay()] as const;
  await underLoad(here, async () => {
    for (let round = 0; round < 4; round++) for (const relay of relays) await goesOn(relay);
  });
  const found = await here.assertWhole();
  t.diagnostic(`seed ${here.seed}: ${found.length} messages`);
});

test('a message that comes between is no reason to store one twice, or out of order', async () => {
  const here = await site();
  const relay = await here.startRelay();
  const stranger = await here.server.connect();
  await underLoad(here, async () => {
    for (let round = 0; round < 5; round++) {
      await goesOn(relay);
      await stranger.jetstream().publish(strangeSubject, 'what is this?');
    }
    await until('the relay to be refused', () =>
      relay.warnings.some((warning) => /wrong last sequence/.test(warning)),
    );
    await goesOn(relay);
  });
  await stranger.close();
  await here.assertWhole();
});

test('another relay takes over when the lease is free', async () => {
  const here = await site();
  let holder: string | undefined;
  const leaseOf = (owner: string) => ({
    async tryHold() {
      holder ??= owner;
      return holder === owner;
    },
    async release() {
      if (holder === owner) holder = undefined;
    },
  });
  const first = await here.startRelay({ lease: leaseOf('first') });
  const second = await here.startRelay({ lease: leaseOf('second') });
  await here.life.goOn(50);
  await here.assertWhole();
  assert.deepEqual([first.position() > 0n, second.position()], [true, -1n]);
  await first.stop();
  await here.life.goOn(50);
  await here.assertWhole();
  assert.ok(second.position() > 0n);
  assert.equal(place.stream, 'DAGUERRE');
});
