import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { quotaSteps } from '../../domain/pipeline-steps.ts';
import { until } from '../support/until.ts';
import { mebibyte, type Site, startSite } from './site.ts';

const withinMs = 10_000;
const uploadSteps = [
  'gateway.quota-deciding',
  'gateway.quota-reserved',
  'gateway.upload-started',
  'gateway.body-half',
  'gateway.body-received',
  'gateway.quota-returned',
  'gateway.upload-staged',
  'worker.ingest-claimed',
  'worker.image-activated',
  'gateway.outcome-seen',
  'gateway.quota-committed',
] as const;

describe('a process that dies while it holds room in a quota', () => {
  let site: Site;
  before(async () => {
    const limits = ['--image-count-quota', '100', '--user-storage-quota', '500MB'];
    site = await startSite([...limits, '--image-uploading-quota', '50']);
  });
  after(() => site.stop());

  /** Nothing stays reserved, and what is used is what is there. */
  const settles = async (): Promise<void> => {
    const began = performance.now();
    await until('everything to be settled', async () => {
      const { uploads } = await site.shown();
      return uploads === 0 && (await site.open()).length === 0;
    });
    const tookMs = performance.now() - began;
    assert.ok(tookMs < withinMs, `settled in ${tookMs} ms`);
    const { staged, ...usage } = await site.usage();
    assert.equal(staged, 0);
    assert.deepEqual(usage, await site.shown());
  };

  const diesAt = async (
    step: (typeof quotaSteps)[number] | (typeof uploadSteps)[number],
    act: () => Promise<unknown>,
  ): Promise<void> => {
    await site.tree.dieAt(step);
    const acting = act().catch(() => {});
    await until(`a process to die at ${step}`, site.tree.died);
    await acting;
    await site.tree.answers();
    await settles();
  };

  for (const step of quotaSteps.filter((name) => name !== 'gateway.quota-returned'))
    test(`at ${step}, creating`, () => diesAt(step, () => site.post(site.tree.api.url)));

  for (const step of uploadSteps)
    for (const announced of [true, false])
      test(`at ${step}, uploading ${announced ? 'an announced' : 'an unknown'} size`, async () => {
        const id = String((await site.post(site.urls[1])).json().id);
        const { url } = site.tree.api;
        await diesAt(step, () =>
          announced
            ? site.upload(url, id, new Uint8Array(3 * mebibyte))
            : site.stream(url, id, [mebibyte, mebibyte, 5]),
        );
      });

  test('a zombie comes too late with what it had reserved', async () => {
    await site.tree.dieAt('gateway.quota-reserved', 'stop');
    const before = await site.shown();
    const creating = site.post(site.tree.api.url);
    await until('the gateway to stop', site.tree.died);
    const gateway = await site.tree.now().part('gateway');
    await until('its reservation to be given up', async () => (await site.open()).length === 0);
    process.kill(gateway, 'SIGCONT');
    const answer = await creating;
    assert.equal(answer.status, 503, answer.text);
    assert.deepEqual(await site.shown(), before);
    await settles();
  });
});
