import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exposureOf } from '../../domain/outside/exposure.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { messagesIn } from '../relay/harness.ts';
import { natsServer } from '../support/nats.ts';
import { redisServer } from '../support/redis.ts';
import { seedOfThisRun } from '../support/seed.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { busFaults } from './bus-faults.ts';
import { campaign, summary } from './campaign.ts';
import type { Problem } from './tally.ts';
import type { Tree } from './tree.ts';

test('nothing is lost and nothing rests when bus and queue die, pause, or forget all, and the stream is whole', async (context) => {
  const seed = seedOfThisRun();
  const nats = await natsServer();
  const redis = await redisServer();
  const connection = await nats.connect();
  let messages = 0;

  /** The stream against the log: no gap, no repeat, no disorder. */
  const wrongInStream = async (tree: Tree): Promise<readonly Problem[]> => {
    const log = postgresEventLog(tree.now().postgresUrl, { log: silent, upcast: (one) => one });
    try {
      const expected: bigint[] = [];
      for (let last = 0n; ; ) {
        const events = await log.readAll(last, 10_000);
        const newest = events.at(-1);
        if (newest === undefined) break;
        last = newest.position;
        for (const event of events)
          if (exposureOf(event) !== 'inside') expected.push(event.position);
      }
      const found = await until('the stream to tell all of the log', async () => {
        const all = await messagesIn(connection, 'DAGUERRE').catch(() => []);
        return all.length >= expected.length && all;
      });
      messages = found.length;
      const positions = found.map(({ position }) => position);
      if (positions.join() === expected.join()) return [];
      return [{ kind: 'lost', what: `the stream is not what the log tells (${found.length})` }];
    } finally {
      await log.close();
    }
  };

  const report = await campaign({
    runs: 13,
    seed,
    clients: 6,
    args: ['--lease-ms', '2000', '--nats-url', nats.url, '--redis-url', redis.url],
    faultsOf: (chance) => busFaults(nats, redis, chance),
    alsoWrong: wrongInStream,
    say: (line) => void process.stdout.write(`${line}\n`),
  });
  await connection.close();
  context.diagnostic(`${summary(report)}\n${messages} messages in the stream`);
  assert.deepEqual(report.problems, [], `again with DAGUERRE_TEST_SEED=${seed}`);
});
