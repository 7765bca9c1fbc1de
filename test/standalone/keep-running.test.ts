import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { keepRunning } from '../../apps/standalone/child.ts';
import { keepPostgresRunning } from '../../apps/standalone/database.ts';
import { readRunning, runningFile } from '../../apps/standalone/running-file.ts';
import type { EmbeddedPostgres } from '../../infra/postgres/embedded.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { until } from '../support/until.ts';

const log = logger('test', 'silent');
const file = fileURLToPath(new URL('./mortal-child.js', import.meta.url));
const root = await mkdtemp(join(tmpdir(), 'daguerre-standalone-'));
after(() => rm(root, { recursive: true }));

const failing = (): never => {
  throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
};

describe('a process that is kept running', () => {
  test('is started again after its death, though nobody can be told of it', async () => {
    const pids: number[] = [];
    const child = keepRunning({
      name: 'mortal',
      file,
      log,
      environment: () => ({}),
      onPid(pid) {
        if (pid !== undefined) pids.push(pid);
        failing();
      },
      onDeath: failing,
    });
    after(() => child.stop());
    await child.firstReady;
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await until('another process', () => pids.length === 2);
    await child.stop();
  });

  test('is started when that becomes possible', async () => {
    let tries = 0;
    let pid: number | undefined;
    const child = keepRunning({
      name: 'mortal',
      file,
      log,
      environment: () => (++tries < 3 ? failing() : {}),
      onPid: (one) => {
        pid = one;
      },
      onDeath: () => {},
    });
    after(() => child.stop());
    await assert.rejects(child.firstReady, { code: 'ENOSPC' });
    await until('the process', () => pid !== undefined);
    await child.stop();
    assert.equal(pid, undefined);
  });
});

describe('a Postgres that is kept running', () => {
  const fakePostgres = (start: (life: number) => void) => {
    const ends: (() => void)[] = [];
    return {
      ends,
      start: async (): Promise<EmbeddedPostgres> => {
        start(ends.length + 1);
        let end = (): void => {};
        const exited = new Promise<{ code: number; signal: null }>((resolve) => {
          end = () => resolve({ code: 1, signal: null });
        });
        ends.push(end);
        return { url: 'postgresql://', pid: ends.length, exited, stop: async () => end() };
      },
    };
  };

  test('is started again, though nobody can be told and the first tries fail', async () => {
    let tries = 0;
    const { ends, start } = fakePostgres((life) => {
      tries += 1;
      if (life === 2 && tries < 4) failing();
    });
    const database = await keepPostgresRunning(root, log, failing, start);
    ends[0]?.();
    await until('its second life', () => ends.length === 2);
    ends[1]?.();
    await until('its third life', () => ends.length === 3);
    await database.stop();
    assert.equal(ends.length, 3);
  });

  test('can be stopped while it does not start', async () => {
    let tries = 0;
    const { ends, start } = fakePostgres((life) => {
      tries += 1;
      if (life > 1) failing();
    });
    const database = await keepPostgresRunning(root, log, () => {}, start);
    ends[0]?.();
    await until('a try that fails', () => tries > 2);
    await database.stop();
  });
});

test('the file of a running tree is written as soon as the disk lets it', async () => {
  const dataDir = join(root, 'not-there-yet');
  const running = runningFile(dataDir, log);
  running.setPart('gateway', 1);
  await mkdir(dataDir);
  const found = await until('the file', () => readRunning(dataDir));
  assert.deepEqual(found.parts, { gateway: 1 });
  running.remove();
  assert.equal(readRunning(dataDir), undefined);
});
