import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { readingAhead } from '../../infra/read-model/reading-ahead.ts';
import { until } from '../support/until.ts';
import { logOf } from './read-model.ts';
import { plain, recorded, uuid } from './recorded.ts';

const history = recorded(uuid('one'), [
  { type: 'ImageCreated', data: plain },
  ...Array.from({ length: 9 }, (_, index) => ({
    type: 'TagAdded' as const,
    data: { tag: `${index}` },
  })),
]);

/** A log that tells what it was asked for. */
function told(events: readonly RecordedEvent[]) {
  const asked: bigint[] = [];
  const readAll = (after: bigint, limit: number) => {
    asked.push(after);
    return logOf(events).readAll(after, limit);
  };
  return { asked, log: { readAll } };
}

test('gives everything, in order, and ends', async () => {
  for (const limit of [1, 3, 5, 100]) {
    const seen: bigint[] = [];
    for await (const batch of readingAhead(told(history).log, 2n, limit)) {
      assert.ok(batch.length > 0 && batch.length <= limit);
      seen.push(...batch.map(({ position }) => position));
    }
    assert.deepEqual(
      seen,
      history.slice(2).map(({ position }) => position),
    );
  }
});

test('reads on while a batch is worked on, and no further than a little', async () => {
  const { asked, log } = told(history);
  for await (const [first] of readingAhead(log, 0n, 1)) {
    await until('the log to be read ahead', () => asked.length === 3);
    for (let turns = 0; turns < 20; turns += 1) await new Promise(setImmediate);
    assert.equal(asked.length, 3);
    assert.equal(first?.position, 1n);
    break;
  }
});

test('a read that fails is told when its turn comes, and to nobody who has stopped before', async () => {
  const log = {
    readAll: async (after: bigint, limit: number) => {
      if (after >= 2n) throw new Error('out of reach');
      return logOf(history).readAll(after, limit);
    },
  };
  const seen: bigint[] = [];
  const reading = async () => {
    for await (const batch of readingAhead(log, 0n, 1))
      seen.push(...batch.map(({ position }) => position));
  };
  await assert.rejects(reading(), /out of reach/);
  assert.deepEqual(seen, [1n, 2n]);
  for await (const _ of readingAhead(log, 0n, 1)) break;
  await new Promise(setImmediate);
});
