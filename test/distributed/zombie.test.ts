import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { contentOf } from '../faults/content.ts';
import { filesBelow } from '../faults/disk.ts';
import { assertHolds, newImage, slowly, statusOf } from '../faults/images.ts';
import { logWatch } from '../faults/log-watch.ts';
import { until } from '../support/until.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
before(async () => {
  site = await startSite({
    counts: { gateway: 1, worker: 3, projector: 1, relay: 1 },
    args: ['--log-level', 'info'],
  });
});
after(() => site?.stop());

const stored = (): Promise<string[]> => filesBelow(site.storeDir);
const isAsleep = (one: { owner(): string | undefined }, owner: string | null): boolean =>
  owner !== null && one.owner() === owner;

for (const step of [
  'worker.ingest-claimed',
  'worker.digests-done',
  'worker.data-promoted',
] as const)
  test(`a worker that sleeps at ${step} beyond its lease finds its late result refused, and its bytes count for nothing`, async () => {
    const content = contentOf(step, 2_000_000);
    const id = await newImage(site.api);
    const watch = logWatch(site.postgresUrl);
    await site.dieAt(step, 'stop');
    const uploading = site.api.upload(id, slowly(content, 100));
    await until('a worker to fall asleep', site.died);
    await watch.read();
    const { upload } = watch.state(id) as {
      upload: { uploadId: string; claimedBy: string | null };
    };
    const sleeper = site.of('worker').find((one) => isAsleep(one, upload.claimedBy));
    assert.ok(sleeper, 'a worker of the site has claimed it');
    assert.equal(statusOf(await uploading), 204, 'another has finished it');
    await watch.read();
    const facts = watch.events();
    const pid = sleeper.pid();

    sleeper.resume();
    const late = (line: string): boolean =>
      line.startsWith(sleeper.name) &&
      line.includes('"superseded"') &&
      line.includes(upload.uploadId);
    await until('its late result to be refused', () => site.log().split('\n').some(late));
    await until('its bytes to be swept', async () => {
      await watch.read();
      return (await stored()).sort().join() === watch.namedKeys().sort().join();
    });
    const named = watch.namedKeys().filter((key) => key.startsWith(id));
    assert.deepEqual(named, [`${id}/${upload.uploadId}/2`]);
    assert.deepEqual(watch.problems, []);
    assert.equal(watch.events(), facts, 'and the log has nothing of it');
    await assertHolds(site.api, id, content);
    assert.equal(sleeper.pid(), pid, 'the sleeper lives on');
  });
