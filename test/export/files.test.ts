import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { exportedText } from './exported-files.ts';
import { exporterProcess } from './exporter-process.ts';
import { dice, exportSite, type Site, target } from './site.ts';

interface Line {
  readonly id: string;
  readonly position: string;
}

const directoryIn = (site: Site): string => join(site.directory, 'files');
const files = (site: Site, more: object = {}) =>
  target({ id: 'files', type: 'file', dir: directoryIn(site), ...more });

const namesIn = async (site: Site): Promise<readonly string[]> =>
  (await readdir(directoryIn(site)).catch(() => [])).sort();

/** Every line of every file, in the order of the files' names; the one that grows last. */
const linesIn = async (site: Site): Promise<readonly Line[]> =>
  (await exportedText(directoryIn(site)))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Each closed file is what its checksum and its name say; gives how many there are. */
async function requireSound(site: Site): Promise<number> {
  const names = await namesIn(site);
  const closed = names.filter((name) => name.endsWith('.ndjson'));
  for (const name of closed) {
    const bytes = await readFile(join(directoryIn(site), name));
    const sum = createHash('sha256').update(bytes).digest('hex');
    const sidecar = await readFile(join(directoryIn(site), `${name}.sha256`), 'utf8');
    assert.equal(sidecar, `${sum}  ${name}\n`);
    const positions = bytes
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => BigInt(JSON.parse(line).position));
    const [, first, last] = /^(\d{20})-(\d{20})\.ndjson$/.exec(name) ?? [];
    assert.deepEqual([BigInt(first ?? 0), BigInt(last ?? 0)], [positions[0], positions.at(-1)]);
  }
  assert.equal(names.filter((name) => name.endsWith('.sha256')).length, closed.length);
  return closed.length;
}

const upToHead = (site: Site): Promise<unknown> =>
  until('everything to be written', async () => {
    const [standing] = await site.cursors.standings();
    return standing?.position === (await site.log.head());
  });

/** Every event of the log is there once, in order. */
async function requireAllOnce(site: Site, why = ''): Promise<void> {
  const all = (await site.all()).map(({ id }) => id);
  assert.deepEqual(
    (await linesIn(site)).map(({ id }) => id),
    all,
    why,
  );
}

describe('Files', () => {
  test('are closed by size, each with its checksum and the positions that are in it', async (t) => {
    const site = await exportSite(t);
    await site.append(60);
    const exporting = site.start(files(site, { 'max-bytes': 4_096 }));
    await upToHead(site);
    await exporting.stop();
    assert.ok((await requireSound(site)) >= 5);
    await requireAllOnce(site);
  });

  test('are closed by age, though nothing more happens', async (t) => {
    const site = await exportSite(t);
    await site.append(3);
    site.start(files(site, { 'max-age-seconds': 1 }));
    await until('the file to be closed', async () => {
      const names = await namesIn(site);
      return names.length === 2 && names.every((name) => /\.ndjson(\.sha256)?$/.test(name));
    });
    await requireSound(site);
    await requireAllOnce(site);
  });

  test('go on after the last whole line where one was torn', async (t) => {
    const site = await exportSite(t);
    await site.append(5);
    const first = site.start(files(site));
    await upToHead(site);
    await first.stop();
    const [part = ''] = await namesIn(site);
    await appendFile(join(directoryIn(site), part), '{"position":"6","id":"half a l');
    await site.append(5);
    const second = site.start(files(site));
    await upToHead(site);
    await second.stop();
    await requireAllOnce(site);
  });

  test('write again what is not in them, though the cursor was further', async (t) => {
    const site = await exportSite(t);
    await site.append(10);
    const first = site.start(files(site));
    await upToHead(site);
    await first.stop();
    const [part = ''] = await namesIn(site);
    const path = join(directoryIn(site), part);
    const lines = (await readFile(path, 'utf8')).split('\n');
    const file = await open(path, 'r+');
    await file.truncate(Buffer.byteLength(`${lines.slice(0, 4).join('\n')}\n`));
    await file.close();
    const second = site.start(files(site));
    await until('it to be whole again', async () => (await linesIn(site)).length >= 10);
    await second.stop();
    await requireAllOnce(site);
  });

  test('go on from their own last record where the cursor is lost', async (t) => {
    const site = await exportSite(t);
    for (let round = 0; round < 2; round += 1) {
      await site.append(20);
      const exporting = site.start(files(site, { 'max-bytes': 4_096 }));
      await upToHead(site);
      await exporting.stop();
      await site.database.pool.query('delete from audit_exports');
    }
    await requireSound(site);
    await requireAllOnce(site);
  });

  test('go on from the cursor where all of them were moved away', async (t) => {
    const site = await exportSite(t);
    await site.append(10);
    const first = site.start(files(site));
    await upToHead(site);
    await first.stop();
    await rename(directoryIn(site), join(site.directory, 'archive'));
    await site.append(5);
    const second = site.start(files(site));
    await upToHead(site);
    await second.stop();
    const after = (await linesIn(site)).map(({ position }) => Number(position));
    assert.deepEqual(after, [12, 13, 14, 15, 16]);
    await rm(directoryIn(site), { recursive: true });
  });

  test('have every event once, whenever the process is killed', async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const upTo = dice(seed);
    const site = await exportSite(t);
    const said = { id: 'files', type: 'file', dir: directoryIn(site), 'max-bytes': 6_000 };
    for (let death = 0; death < 6; death += 1) {
      const { began, kill } = exporterProcess(site.database.url, site.directory, said);
      const appending = site.append(150);
      await began;
      await delay(upTo(120));
      await kill();
      await appending;
    }
    const exporting = site.start(target(said));
    await upToHead(site);
    await exporting.stop();
    assert.ok((await requireSound(site)) > 10);
    await requireAllOnce(site, `seed ${seed}`);
    assert.ok((await namesIn(site)).filter((name) => name.endsWith('.part')).length <= 1);
  });

  test('are left alone by who was taken over from, and lives on', async (t) => {
    const site = await exportSite(t);
    const first = site.start(files(site));
    await site.append(20);
    await upToHead(site);
    const second = site.start(files(site));
    await first.ended;
    await site.append(20);
    await upToHead(site);
    await second.stop();
    await requireAllOnce(site);
  });
});
