import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type EventLog, LogUnavailable } from '../../domain/event-log.ts';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { sharedFollow } from '../../infra/event-log/shared-follow.ts';

const emptyLog = (): EventLog => memoryEventLog({ upcast: (event) => event });

async function append(log: EventLog, count: number): Promise<void> {
  for (let done = 0; done < count; done++)
    await log.append(
      `image-${randomUUID()}`,
      [
        {
          id: randomUUID(),
          type: 'ImageDeactivated',
          schemaVersion: 1,
          data: {},
          metadata: {
            actor: { kind: 'system', part: 'test' },
            requestId: 'req-1',
            correlationId: 'req-1',
            causationId: randomUUID(),
          },
        },
      ],
      -1,
    );
}

/** Positions that a follower was given, up to one. */
async function followed(
  log: Pick<EventLog, 'follow'>,
  { after, to, every }: { after: bigint; to: bigint; every: number },
): Promise<readonly bigint[]> {
  const stop = new AbortController();
  const positions: bigint[] = [];
  for await (const events of log.follow(after, stop.signal)) {
    positions.push(...events.map(({ position }) => position));
    for (let turns = 0; turns < every; turns++) await turn();
    if ((positions.at(-1) ?? 0n) >= to) stop.abort();
  }
  return positions;
}

const upTo = (after: bigint, to: bigint): readonly bigint[] =>
  Array.from({ length: Number(to - after) }, (_, index) => after + BigInt(index) + 1n);

test('followers from anywhere, quick or slow, miss nothing and get nothing twice', async () => {
  const log = emptyLog();
  await append(log, 500);
  const shared = sharedFollow(log);
  const to = 12_000n;
  const followers = [
    { after: 0n, every: 0 },
    { after: 500n, every: 0 },
    { after: 250n, every: 300 },
    { after: 499n, every: 20 },
  ];
  const following = followers.map((one) => followed(shared, { ...one, to }));
  await append(log, 11_500);
  const given = await Promise.all(following);
  for (const [index, { after }] of followers.entries())
    assert.deepEqual(given[index], upTo(after, to));
});

test('the log is followed once for all, and no longer than somebody does', async () => {
  const log = emptyLog();
  let [begun, ended, read] = [0, 0, 0];
  const shared = sharedFollow({
    head: () => log.head(),
    readAll(after, limit) {
      read += 1;
      return log.readAll(after, limit);
    },
    async *follow(after, signal) {
      begun += 1;
      yield* log.follow(after, signal);
      ended += 1;
    },
  });
  const both = [0, 1].map(() => followed(shared, { after: 0n, to: 50n, every: 0 }));
  await append(log, 50);
  assert.deepEqual(await Promise.all(both), [upTo(0n, 50n), upTo(0n, 50n)]);
  while (ended === 0) await turn();
  assert.deepEqual([begun, ended, read], [1, 1, 0]);
  assert.deepEqual(await followed(shared, { after: 0n, to: 50n, every: 0 }), upTo(0n, 50n));
  assert.equal(begun, 2);
});

test('a log that fails fails for who follows, and is followed anew by who asks again', async () => {
  const log = emptyLog();
  let fails = true;
  const shared = sharedFollow({
    head: () => log.head(),
    readAll: (after, limit) => log.readAll(after, limit),
    async *follow(after, signal) {
      if (fails) throw new Error('broken');
      yield* log.follow(after, signal);
    },
  });
  await assert.rejects(followed(shared, { after: 0n, to: 1n, every: 0 }), /broken/);
  fails = false;
  const following = followed(shared, { after: 0n, to: 3n, every: 0 });
  await append(log, 3);
  assert.deepEqual(await following, upTo(0n, 3n));
});

test('who is behind waits while the log cannot be reached', async () => {
  const log = emptyLog();
  await append(log, 5);
  let unreachable = 2;
  const shared = sharedFollow({
    ...log,
    async readAll(after, limit) {
      if (unreachable-- > 0) throw new LogUnavailable(new Error('away'));
      return log.readAll(after, limit);
    },
  });
  assert.deepEqual(await followed(shared, { after: 0n, to: 5n, every: 0 }), upTo(0n, 5n));
});
