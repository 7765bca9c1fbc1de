import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryEventLog } from '../../infra/event-log/memory/event-log.ts';
import { differences } from '../../projections/history/differences.ts';
import { imageDifferences, imageValues } from '../../projections/history/image-values.ts';
import { fold, type ImageEntry, type ImageRow } from '../../projections/images/fold.ts';
import { history } from '../projections/history.ts';

test('differences of two images are those of all their values, one event apart or far', async () => {
  const log = memoryEventLog({ upcast: (event) => event });
  await history(log, 11, 12).goOn(600);
  const entries = new Map<string, ImageEntry>();
  const images: ImageRow[] = [];
  for (const event of await log.readAll(0n, 10_000)) {
    const before = entries.get(event.streamId) ?? {};
    const after = fold(before, event);
    entries.set(event.streamId, after);
    if (before.image === undefined || after.image === undefined) continue;
    images.push(after.image);
    const pairs = [
      [before.image, after.image],
      [after.image, images[Math.floor(images.length / 2)] ?? after.image],
    ] as const;
    for (const [was, is] of pairs)
      assert.deepEqual(imageDifferences(was, is), differences(imageValues(was), imageValues(is)));
  }
  assert.ok(images.length > 300);
});
