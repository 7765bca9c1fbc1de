import assert from 'node:assert/strict';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorCode } from '../../infra/files/files.ts';
import { startDaguerre } from '../support/daguerre.ts';
import { smallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { apiAt } from './api.ts';
import { contentOf } from './content.ts';
import { assertHolds, newImage, slowly, statusOf } from './images.ts';

test('a tree whose whole disk is full to the last byte works again when there is room', async (context) => {
  const disk = await smallDisk(300);
  if (disk === undefined) return context.diagnostic('no right to mount a disk that can be full');
  const daguerre = await startDaguerre({ dataDir: join(disk.directory, 'data') });
  const api = apiAt(daguerre.url);
  try {
    const content = contentOf('kept', 1_000_000);
    const id = await newImage(api);
    assert.equal(statusOf(await api.upload(id, slowly(content, 10))), 204);

    const filler = join(disk.directory, 'filler');
    await fill(filler);
    for (const part of ['worker', 'postgres', 'gateway'] as const) await daguerre.kill(part);
    await until('Postgres to be tried', () => daguerre.log().includes('Postgres does not start'));
    await rm(filler);

    await until('the image to be there', async () => {
      const answer = await api.json('GET', `/v2/images/${id}`);
      return answer.kind === 'answered' && answer.status === 200;
    });
    await assertHolds(api, id, content);
    const next = await newImage(api);
    assert.equal(statusOf(await api.upload(next, slowly(content, 10))), 204);
  } finally {
    api.close();
    await daguerre.stop();
    await disk.unmount();
  }
});

async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    for (let size = 1024 * 1024; size >= 1; size = size >> 1)
      try {
        for (;;) await file.write(new Uint8Array(size));
      } catch (error) {
        if (errorCode(error) !== 'ENOSPC') throw error;
      }
  } finally {
    await file.close();
  }
}
