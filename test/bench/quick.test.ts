import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const bench = fileURLToPath(new URL('./main.js', import.meta.url));

test('the bench measures everything that it promises, however fast', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const json = join(directory, 'figures.json');
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [
      bench,
      '--quick',
      '--bus',
      '--webhooks',
      '--stream',
      '--uploads',
      '--history',
      '--audit',
      '--json',
      json,
    ]);
    for (const row of [
      'create',
      'show',
      'list 25 of 200',
      'upload 24 MiB',
      'download',
      'memory per',
      'append to visible',
      'rebuild',
      'append to consumer',
      'relay from nothing',
      'append to webhook',
      'append to stream',
      '10 x 10 MiB, workers: 1',
      '10 x 10 MiB, workers: 2',
      'show as of then',
      'list as of then',
      'list by name and tag as of then',
      'changes of an image',
      'history kept',
      'audit tree of',
      'the audit adds to a create',
    ])
      assert.match(stdout, new RegExp(`^${row}\\b.*\\d`, 'm'));
    const { figures } = JSON.parse(await readFile(json, 'utf8'));
    const { bytes, requests, log, bus, webhooks, stream, uploads, history } = figures;
    const rates = [bytes.upload, bytes.download, bytes.md5, log.rebuildPerSecond];
    rates.push(bus.consumedP50Ms, bus.consumedP99Ms, bus.relayPerSecond);
    rates.push(webhooks.toldP50Ms, webhooks.toldP99Ms);
    rates.push(
      stream.streamedP50Ms,
      stream.streamedP99Ms,
      ...Object.values(uploads.perSecond).map(Number),
    );
    for (const { asOf, live } of [history.firstAsked, history.askedBefore])
      for (const side of [asOf, live])
        rates.push(side.show.p50Ms, side.list.p50Ms, side['list by name and tag'].p50Ms);
    rates.push(history.bytesPerEvent, history.rebuildPerSecond);
    for (const { perSecond, p50Ms, p99Ms } of [requests.create, requests.show, requests.list])
      rates.push(perSecond, p50Ms, p99Ms);
    for (const rate of rates) assert.ok(rate > 0 && Number.isFinite(rate), stdout);
    // What the appends and the seeding of the quick run alone make.
    assert.ok(log.rebuiltEvents > 100 + 500 * 4, stdout);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
