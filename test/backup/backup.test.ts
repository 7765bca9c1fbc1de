import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256Of } from '../../infra/backup/files.ts';
import { locked } from '../../infra/backup/lock.ts';
import { filesOf, manifestName } from '../../infra/backup/manifest.ts';
import { restoreLog } from '../../infra/backup/restore-log.ts';
import { takeBackup } from '../../infra/backup/take.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { postgresEventLog } from '../../infra/event-log/postgres/event-log.ts';
import { erasePersonalRecords } from '../../infra/personal/erase.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { postgresVault } from '../../infra/webhooks/vault.ts';
import { fact } from '../audit/site.ts';
import { eventStoreDbDouble } from '../support/eventstoredb-double/double.ts';
import { silent } from '../support/silent-log.ts';
import { allEvents, backupSite, emptyDatabase, fill, textOf } from './site.ts';

const alice = {
  userId: 'alice',
  userName: 'Alice Liddell',
  remoteAddress: '192.0.2.7',
  userAgent: 'curl',
};

const flipBit = async (path: string, at: number): Promise<void> => {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(path, bytes);
};

describe('A backup', { concurrency: false }, () => {
  test('is brought back with the same events, the same tree, and what lies beside them', async (t) => {
    const site = await backupSite(t);
    const { pool } = site.database;
    await site.append(30);
    await site.appendTo('metadef-x', [
      fact({ text: 'ß "quoted" \u{1f600}\n', none: null, number: 1.5e-7 }),
    ]);
    const hash = await personalRecords(pool).remember(alice);
    const secretId = randomUUID();
    await postgresVault(pool).keep(secretId, Buffer.from([0, 1, 255]));
    const head = await site.signed(31);
    const { manifest, newEvents } = await site.take();
    assert.equal(newEvents, 31);
    assert.equal(manifest.log.root, Buffer.from(head.root).toString('base64'));
    assert.deepEqual(manifest.checkpoint, { size: 31, note: head.note });
    assert.equal((await stat(site.backup)).mode & 0o777, 0o700);
    assert.equal(
      (await stat(join(site.backup, manifest.signingKey?.file ?? ''))).mode & 0o777,
      0o600,
    );
    const verified = await site.verify(await site.keys());
    assert.deepEqual([verified.findings, verified.signed], [[], 31]);

    const restored = await emptyDatabase(t, site.backup);
    await restored.restore();
    const before = await allEvents(site.database.url);
    const after = await restored.events();
    assert.deepEqual(after.slice(0, 31), before);
    const [last, ...more] = after.slice(31);
    assert.deepEqual([last?.type, last?.data.root, more], ['LogRestored', manifest.log.root, []]);
    assert.ok((last?.position ?? 0n) > 1_000_000_000n, 'positions go on above all that were given');
    for (const table of ['audit_keys', 'audit_checkpoints', 'webhook_secrets']) {
      const rows = async (db: typeof pool) =>
        (await db.query(`select to_jsonb(t) as row from ${table} as t order by 1`)).rows;
      assert.deepEqual(await rows(restored.database.pool), await rows(pool), table);
    }
    const { rows } = await restored.database.pool.query(
      'select salt, data from personal_records where hash = $1',
      [hash],
    );
    assert.equal(rows[0]?.data.userName, 'Alice Liddell');
    const heads = await restored.database.pool.query(
      `select count(*)::integer as heads, (select position from event_counter) as counter from event_heads`,
    );
    assert.deepEqual(heads.rows, [
      { heads: new Set(after.map(({ streamId }) => streamId)).size, counter: last?.position },
    ]);
  });

  test('goes on as a log: the next event follows in its stream and above all others', async (t) => {
    const site = await backupSite(t);
    const stream = `image-${randomUUID()}`;
    await site.appendTo(stream, [fact(), fact()]);
    await site.take();
    const restored = await emptyDatabase(t, site.backup);
    await restored.restore();
    const log = postgresEventLog(restored.database.url, { log: silent, upcast: (event) => event });
    t.after(() => log.close());
    const resumed = await log.head();
    const position = await log.append(stream, [fact()], 1);
    assert.equal(position, resumed + 1n);
    assert.equal((await log.readStream(stream)).revision, 2);
  });

  test('takes only what is new when it is run again', async (t) => {
    const site = await backupSite(t);
    await site.append(300);
    await site.signed(300);
    const first = (await site.take()).manifest;
    const inodeOf = async (file: string) => (await stat(join(site.backup, file))).ino;
    const inodes = await Promise.all(first.segments.map(({ file }) => inodeOf(file)));
    await site.append(5);
    await site.signed(305);
    const { manifest, newEvents } = await site.take();
    assert.equal(newEvents, 5);
    assert.deepEqual(manifest.segments.slice(0, -1), first.segments);
    assert.equal(manifest.segments.at(-1)?.events, 5);
    assert.deepEqual(await Promise.all(first.segments.map(({ file }) => inodeOf(file))), inodes);
    assert.deepEqual((await site.verify()).findings, []);
    const again = await site.take();
    assert.equal(again.newEvents, 0);
    assert.deepEqual(again.manifest.segments, manifest.segments);
    const restored = await emptyDatabase(t, site.backup);
    await restored.restore();
    assert.deepEqual((await restored.events()).slice(0, -1), await allEvents(site.database.url));
  });

  test('holds nothing of a person who was erased before it was run again', async (t) => {
    const site = await backupSite(t);
    const { pool } = site.database;
    await site.append(3);
    await personalRecords(pool).remember(alice);
    await site.take();
    assert.match(await textOf(site.backup), /Liddell/);
    await erasePersonalRecords(pool, 'alice');
    await site.take();
    assert.doesNotMatch(await textOf(site.backup), /Liddell|192\.0\.2\.7/);
    assert.deepEqual((await site.verify()).findings, []);
  });

  test('is of one log', async (t) => {
    const [site, other] = [await backupSite(t), await backupSite(t)];
    await site.append(3);
    await other.append(9);
    await site.take();
    await mkdir(other.backup, { mode: 0o700 });
    await writeFile(
      join(other.backup, manifestName),
      await readFile(join(site.backup, manifestName)),
    );
    await assert.rejects(other.take(), /is the backup of another log/);
    await site.tamper('delete from events where position = 3');
    await assert.rejects(site.take(), /of what this one was at position 3/);
  });

  test('is not made of a log that is not what was signed, and the one before stays', async (t) => {
    const site = await backupSite(t);
    await site.append(6);
    await site.signed(6);
    await site.take();
    await site.append(6);
    await site.signed(12);
    await site.tamper(`update events set data = '{"put": "in"}' where position = 9`);
    await assert.rejects(
      site.take(),
      /an event of index 6 to 11, above position 6 and up to 12, is not what was signed/,
    );
    assert.equal((await site.manifest()).log.events, 6);
    assert.deepEqual((await site.verify()).findings, []);
  });

  test('is made by one at a time, and in a directory of its own', async (t) => {
    const site = await backupSite(t);
    await site.append(3);
    await site.take();
    await locked(site.backup, () => assert.rejects(site.take(), /another process works on this/));
    await site.take();
    const strange = join(site.directory, 'home');
    await mkdir(strange);
    await writeFile(join(strange, 'letters'), 'dear');
    const signal = new AbortController().signal;
    await assert.rejects(
      takeBackup(site.backupPorts, strange, { bytes: false, signal }),
      /holds letters, and is no backup/,
    );
  });
});

describe('Of a damaged backup', { concurrency: false }, () => {
  test('it is said which events a flipped bit, a missing or a cut file takes along', async (t) => {
    const site = await backupSite(t);
    await fill(site.database, 10_200);
    await site.take();
    const [first, second] = (await site.manifest()).segments;
    assert.ok(first !== undefined && second !== undefined);
    const path = join(site.backup, second.file);
    const whole = await readFile(path);
    const place = /\(events of index 10000 to 10199, positions 10001 to 10200\)$/;
    await flipBit(path, 1_000);
    const [flipped, ...others] = (await site.verify()).findings;
    assert.match(flipped ?? '', /^log\/000000010000\.ndjson\.gz is not what was written/);
    assert.match(flipped ?? '', place);
    assert.deepEqual(others, []);
    await writeFile(path, whole.subarray(0, -10));
    assert.match(
      (await site.verify()).findings.join(),
      /bytes, \d+ were written .events of index 10000/,
    );
    await rm(path);
    assert.match((await site.verify()).findings.join(), /is missing .events of index 10000/);
    await writeFile(path, whole);
    assert.deepEqual((await site.verify()).findings, []);
    const restored = await emptyDatabase(t, site.backup);
    await flipBit(path, 1_000);
    await assert.rejects(restored.restore(), /is not what was written/);
    assert.deepEqual(await restored.events(), []);
  });

  test('a bit that is flipped anywhere is found', async (t) => {
    const site = await backupSite(t);
    await site.append(6);
    await personalRecords(site.database.pool).remember(alice);
    await site.signed(6);
    const { manifest } = await site.take();
    const files = filesOf(manifest);
    assert.ok(files.length >= 4, files.join());
    for (const file of files) {
      await flipBit(join(site.backup, file), 12);
      assert.match((await site.verify()).findings.join(), new RegExp(`^${file} is not what`), file);
      await flipBit(join(site.backup, file), 12);
    }
    assert.deepEqual((await site.verify()).findings, []);
  });

  test('files that are no part of it are named, and are no damage', async (t) => {
    const site = await backupSite(t);
    await site.append(6);
    await site.signed(6);
    const { manifest } = await site.take();
    assert.deepEqual((await site.verify()).strays, []);
    const left = ['beside/00000009-key.part-x', 'log/000000000006.ndjson.gz', 'notes.txt'];
    for (const file of left) await writeFile(join(site.backup, file), 'half');
    const { findings, strays } = await site.verify();
    assert.deepEqual(findings, []);
    assert.deepEqual(strays, left);
    await rm(join(site.backup, 'notes.txt'));
    await site.take();
    assert.deepEqual((await site.verify()).strays, [], 'a run removes what runs have left');
    const forgotten = { ...manifest, segments: [] };
    await writeFile(join(site.backup, manifestName), JSON.stringify(forgotten));
    assert.ok((await site.verify()).strays.includes(manifest.segments[0]?.file ?? ''));
  });

  test('a manifest that says otherwise of the log than its events do is not believed', async (t) => {
    const site = await backupSite(t);
    await site.append(300);
    await site.signed(300);
    await site.take();
    await site.append(300);
    await site.signed(600);
    const { manifest } = await site.take();
    assert.deepEqual((await site.verify()).findings, []);
    const [lowest, ...others] = manifest.log.edge;
    assert.ok(lowest !== undefined && others.length > 0);
    const hashes = Buffer.from(lowest.hashes, 'base64');
    hashes[0] = (hashes[0] ?? 0) ^ 1;
    for (const wrong of [
      { edge: [{ ...lowest, hashes: hashes.toString('base64') }, ...others] },
      { edge: others },
      { first: '00000000-0000-4000-8000-000000000000' },
      { position: String(BigInt(manifest.log.position) + 1n) },
      { previous: String(BigInt(manifest.log.previous) - 1n) },
    ]) {
      const said = { ...manifest, log: { ...manifest.log, ...wrong } };
      await writeFile(join(site.backup, manifestName), JSON.stringify(said));
      assert.deepEqual((await site.verify()).findings, [
        'the manifest says otherwise of the log than its events do',
      ]);
    }
  });

  test('events that were changed with care are not what was signed, between which two is said', async (t) => {
    const site = await backupSite(t);
    await site.append(6);
    await site.signed(6);
    await site.append(6);
    await site.signed(12);
    const { manifest } = await site.take();
    const [segment] = manifest.segments;
    const file = join(site.backup, segment?.file ?? '');
    const text = gunzipSync(await readFile(file)).toString('utf8');
    const forged = gzipSync(
      text
        .split('\n')
        .map((line, at) => (at === 7 ? line.replace('TagAdded', 'TagRemoved') : line))
        .join('\n'),
    );
    await writeFile(file, forged);
    const kept = { ...segment, bytes: forged.length, sha256: sha256Of(forged) };
    const rest = { ...manifest, segments: [kept] };
    await writeFile(join(site.backup, manifestName), JSON.stringify(rest));
    assert.deepEqual((await site.verify()).findings, [
      'an event of index 6 to 11, above position 6 and up to 12, is not what was signed',
    ]);
  });

  test('a checkpoint that a trusted key did not sign is not believed', async (t) => {
    const [site, stranger] = [await backupSite(t), await backupSite(t)];
    await site.append(6);
    await site.signed(6);
    await stranger.append(3);
    await stranger.signed(3);
    await site.take();
    assert.deepEqual((await site.verify(await site.keys())).findings, []);
    assert.deepEqual((await site.verify(await stranger.keys())).findings, [
      'none of the known keys has signed it',
    ]);
  });
});

describe('A restore', { concurrency: false }, () => {
  test('wants a database in which there is nothing', async (t) => {
    const site = await backupSite(t);
    await site.append(3);
    await site.take();
    const restored = await emptyDatabase(t, site.backup);
    await restored.restore();
    const before = await restored.events();
    await assert.rejects(restored.restore(), /the database is not empty: there are rows in events/);
    assert.deepEqual(await restored.events(), before);
  });

  test('that is interrupted leaves nothing, and is run again', async (t) => {
    const site = await backupSite(t);
    await fill(site.database, 2_500);
    await site.take();
    const restored = await emptyDatabase(t, site.backup);
    const stop = new AbortController();
    await assert.rejects(
      restoreLog(restored.database.pool, site.backup, await site.manifest(), {
        operator: alice,
        signal: stop.signal,
        onProgress: () => stop.abort(new Error('interrupted')),
        beforeCommit: async () => {},
      }),
      /interrupted/,
    );
    assert.deepEqual(await restored.events(), []);
    await restored.restore();
    assert.equal((await restored.events()).length, 2_501);
  });
});

test('A log in EventStoreDB is backed up as well, and restored into Postgres with its positions', async (t) => {
  const site = await backupSite(t);
  const double = await eventStoreDbDouble();
  const log = eventStoreDbEventLog(double.url, { log: silent, upcast: (event) => event });
  t.after(async () => {
    await log.close();
    await double.stop();
  });
  const ports = { ...site.backupPorts, log, lowest: 0n };
  const take = () =>
    takeBackup(ports, site.backup, { bytes: false, signal: new AbortController().signal });
  await log.append(`image-${randomUUID()}`, [fact(), fact(), fact()], -1);
  await take();
  await log.append(`image-${randomUUID()}`, [fact(), fact()], -1);
  const head = await site.signed(5, log);
  const { manifest, newEvents } = await take();
  assert.equal(newEvents, 2);
  assert.equal(manifest.log.root, Buffer.from(head.root).toString('base64'));
  const restored = await emptyDatabase(t, site.backup);
  await restored.restore();
  const events = await restored.events();
  assert.deepEqual(events.slice(0, 5), await log.readAll(0n, 10));
});
