import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runStandalone, startDaguerre } from '../support/daguerre.ts';
import { ask } from '../support/http.ts';
import { testDatabase } from '../support/postgres.ts';

const cliMain = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-another-log-'));
after(() => rm(dataDir, { recursive: true }));

test('a data directory is not put before another log, until its read models are made from that', async () => {
  const [first, second] = [(await testDatabase()).url, (await testDatabase()).url];
  const start = (url: string) => startDaguerre({ dataDir, args: ['--event-log-url', url] });
  const names = async (url: string): Promise<readonly unknown[]> =>
    ((await ask(url, '/v2/images')).json().images as { name: unknown }[]).map(({ name }) => name);
  const create = async (url: string, name: string): Promise<void> => {
    const headers = { 'Content-Type': 'application/json' };
    const made = await ask(url, '/v2/images', {
      method: 'POST',
      headers,
      body: JSON.stringify({ name }),
    });
    assert.equal(made.status, 201);
  };
  const before = await start(first);
  await create(before.url, 'of the first');
  await before.stop();

  await assert.rejects(start(second), (error: Error) => {
    assert.match(error.message, /images.*were made from another event log.*`daguerre rebuild`/);
    assert.ok(!error.message.includes('to answer'), 'it ended by itself');
    return true;
  });

  const rebuilding = runStandalone(['rebuild', '--data-dir', dataDir, '--event-log-url', second], {
    main: cliMain,
  });
  assert.equal((await rebuilding.ended).code, 0, rebuilding.log());
  const there = await start(second);
  assert.deepEqual(await names(there.url), []);
  await create(there.url, 'of the second');
  assert.deepEqual(await names(there.url), ['of the second']);
  await there.stop();
});
