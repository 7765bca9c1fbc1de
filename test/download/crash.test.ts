import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hexOf } from '../support/downloads.ts';
import { startHostileServer } from '../support/hostile-server.ts';
import { killNow } from '../support/processes.ts';
import { until } from '../support/until.ts';
import type { ChildTask } from './child.ts';

const mebibyte = 1024 * 1024;
const child = fileURLToPath(new URL('./child.js', import.meta.url));
const kills = 8;
/** Of answers that nobody reads any more, what the server and the kernel still took for sent. */
const lostInSockets = 1.5 * mebibyte;

for (const parallel of [1, 3])
  test(`a process killed ${kills} times while it downloads over ${parallel} connections fetches little twice`, async (t) => {
    const server = await startHostileServer();
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-crash-'));
    try {
      const bytes = randomBytes(40 * mebibyte);
      const key = { imageId: randomUUID(), uploadId: randomUUID() };
      const checkpointBytes = mebibyte / 2;
      const task: ChildTask = {
        url: server.serve({
          bytes,
          etag: '"v1"',
          drip: { bytes: 16 * 1024, everyMs: 2 * parallel },
        }),
        port: server.port,
        directory,
        key,
        sha256: hexOf(bytes),
        parallel,
        checkpointBytes,
      };
      const start = () => {
        const started = spawn(process.execPath, [child, JSON.stringify(task)], {
          stdio: ['ignore', 'ignore', 'inherit'],
        });
        const ended = once(started, 'exit');
        return { pid: started.pid ?? 0, ended };
      };

      for (let kill = 0; kill < kills; kill++) {
        const enough = server.bytesServed() + randomInt(3 * mebibyte, 5 * mebibyte);
        const { pid, ended } = start();
        await until('bytes to kill it at', () => server.bytesServed() > enough, { everyMs: 1 });
        killNow(pid);
        await ended;
      }
      const last = start();
      assert.deepEqual(await last.ended, [0, null]);

      const served = server.bytesServed();
      const most = bytes.length + kills * (2 * checkpointBytes + lostInSockets);
      t.diagnostic(
        `${kills} kills: ${served} bytes served of a file of ${bytes.length}, at most ${most} allowed`,
      );
      assert.ok(served <= most, `${served} bytes served`);
      const whole = await readFile(join(directory, key.imageId, key.uploadId));
      assert.ok(whole.equals(bytes));

      const requested = server.requests.length;
      const again = start();
      assert.deepEqual(await again.ended, [0, null]);
      assert.equal(server.requests.length, requested, 'a whole file was fetched again');
    } finally {
      await server.stop();
      await rm(directory, { recursive: true });
    }
  });
