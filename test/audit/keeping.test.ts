import assert from 'node:assert/strict';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { rotateKeys } from '../../apps/audit/signing.ts';
import { rootOf } from '../../domain/audit/merkle.ts';
import { checkpointFrom } from '../../infra/audit/checkpoint.ts';
import { readKeyFile } from '../../infra/audit/key-file.ts';
import { verifierKeyFrom } from '../../infra/audit/keys.ts';
import type { SignedHead } from '../../infra/audit/memory.ts';
import { openedNote, parsedNote } from '../../infra/audit/note.ts';
import { leafOf, sha256 } from '../../infra/audit/sha256.ts';
import { verifyBundle } from '../../infra/audit/verifier.ts';
import { until } from '../support/until.ts';
import { auditSite, origin, type Site } from './site.ts';

const alarm = (site: Site): Promise<string> =>
  until('an alarm', async () => (await site.memory.watch()).alarm ?? undefined);

const alarmed = async (t: TestContext, site: Site): Promise<string> => {
  const stop = site.keep();
  t.after(stop);
  return alarm(site);
};

describe('The keeper of the audit tree', () => {
  test('signs the tree of every event in the order of positions', async (t) => {
    const site = await auditSite(t);
    await site.append(520);
    const head = await site.signed(520);
    const leaves = (await site.log.readAll(0n, 1_000)).map(leafOf);
    const expected = Buffer.from(rootOf(sha256, leaves));
    assert.ok(expected.equals(head.root));
    assert.equal(head.position, 520n);
    const { newest } = (await readKeyFile(site.keyFile)) ?? {};
    assert.ok(newest !== undefined);
    const { text, by } = openedNote(head.note, [newest]);
    assert.equal(by.length, 1);
    assert.deepEqual(checkpointFrom(text), { origin, size: 520, root: expected });
    assert.equal((await stat(site.keyFile)).mode & 0o777, 0o600);
  });

  test('goes on where it was, and every later tree grew out of the ones before', async (t) => {
    const site = await auditSite(t);
    const heads: SignedHead[] = [];
    for (const count of [1, 254, 1, 1, 300]) {
      await site.append(count);
      heads.push(await site.signed((heads.at(-1)?.size ?? 0) + count));
    }
    const last = heads.at(-1);
    assert.ok(last !== undefined);
    const keys = await site.keys();
    const report = await verifyBundle(await site.bundle(last), {
      keys,
      seen: heads.map(({ note }) => note),
    });
    assert.deepEqual(report.findings, []);
  });

  test('makes a lost tree again, the same', async (t) => {
    const site = await auditSite(t);
    await site.append(600);
    const before = await site.signed(600);
    await site.database.pool.query('drop table audit_tree, audit_tiles');
    await site.append(3);
    const after = await site.signed(603);
    const report = await verifyBundle(await site.bundle(after), {
      keys: await site.keys(),
      seen: [before.note],
    });
    assert.deepEqual(report.findings, []);
  });

  test('notices that its tree was taken away while nothing happens', async (t) => {
    const site = await auditSite(t);
    await site.append(300);
    await site.signed(300);
    const stop = site.keep();
    await site.store.drop();
    await until('the tree to be there again', async () => (await site.store.reach()).size === 300);
    await site.database.pool.query('drop table audit_tree, audit_tiles');
    await until('the tree to be there again', async () => {
      const reach = await site.store.reach().catch(() => undefined);
      return reach?.size === 300;
    });
    await stop();
  });

  test('makes a tree again whose tiles somebody has changed', async (t) => {
    const site = await auditSite(t);
    await site.append(600);
    const before = await site.signed(600);
    await site.database.pool.query(
      'update audit_tiles set hashes = overlay(hashes placing $1 from 65) where level = 0 and index = 0',
      [Buffer.alloc(32)],
    );
    await site.database.pool.query(
      'update audit_tiles set hashes = overlay(hashes placing $1 from 1) where level = 1',
      [Buffer.alloc(32)],
    );
    await site.append(3);
    await site.signed(603);
    const { root } = (await site.memory.at(600)) ?? before;
    assert.ok(Buffer.from(await site.ports.proofs.root(600)).equals(root));
    assert.equal((await site.memory.watch()).alarm, null);
  });

  test('a tree that was made again from another log than was signed raises an alarm and is not signed', async (t) => {
    const site = await auditSite(t);
    await site.append(200);
    await site.signed(200);
    await site.append(100);
    await site.signed(300);
    await site.tamper(`update events set type = 'TagRemoved' where position = 250`);
    await site.store.drop();
    await site.append(3);
    assert.match(await alarmed(t, site), /an event of index 200 to 299 differs$/);
    assert.equal((await site.memory.newest())?.size, 300);
  });

  test('a log that was cut off raises an alarm at the next start, and says where', async (t) => {
    const site = await auditSite(t);
    await site.append(300);
    await site.signed(300);
    await site.tamper('delete from events where position > 290');
    assert.match(await alarmed(t, site), /ends before index 290, position 291/);
  });

  test('a log that was cut off, tree and all, raises an alarm', async (t) => {
    const site = await auditSite(t);
    await site.append(300);
    await site.signed(300);
    await site.tamper('delete from events where position > 290');
    await site.store.drop();
    assert.match(
      await alarmed(t, site),
      /has 290 events, 300 were signed: those from index 290 on/,
    );
  });

  test('a database that was brought back to an older state raises an alarm where it was signed', async (t) => {
    const site = await auditSite(t);
    await site.append(300);
    await site.signed(300);
    await site.tamper('delete from events where position > 290');
    await site.store.drop();
    await site.database.pool.query('delete from audit_checkpoints');
    assert.match(await alarmed(t, site), /has 290 events, 300 were signed/);
  });

  test('an alarm is over when the log is again what was signed', async (t) => {
    const site = await auditSite(t);
    await site.append(30);
    const head = await site.signed(30);
    await site.tamper(`update events set type = 'TagRemoved' where position = 30`);
    await alarmed(t, site);
    await site.tamper(`update events set type = 'TagAdded' where position = 30`);
    await site.memory.checked(head.size);
    const { alarm: none, checkedSize } = await site.memory.watch();
    assert.deepEqual([none, checkedSize], [null, 30]);
  });

  test('two at once write one tree', async (t) => {
    const site = await auditSite(t);
    const stops = [site.keep(), site.keep()];
    for (let round = 0; round < 5; round += 1) await site.append(150);
    await until('all of it to be signed', async () => (await site.memory.newest())?.size === 750);
    await Promise.all(stops.map((stop) => stop()));
    const head = await site.memory.newest();
    assert.ok(head !== undefined);
    const { findings } = await verifyBundle(await site.bundle(head), { keys: await site.keys() });
    assert.deepEqual(findings, []);
  });
});

describe('The keys of the audit log', () => {
  test('are there before anything has happened', async (t) => {
    const site = await auditSite(t);
    const stop = site.keep();
    const [key] = await until('a key', async () => {
      const keys = await site.keys();
      return keys.length > 0 && keys;
    });
    await stop();
    assert.equal((await readKeyFile(site.keyFile))?.newest.text, key);
    assert.equal(await site.memory.newest(), undefined);
  });

  const signing = (site: Site) => ({ memory: site.memory, keyFile: site.keyFile, origin });

  test('rotate: both sign for a while, and the old one leads to the new one', async (t) => {
    const site = await auditSite(t);
    await site.append(30);
    const head = await site.signed(30);
    const now = new Date();
    const until = new Date(now.getTime() + 60_000);
    const { from, to } = await rotateKeys(signing(site), { head, until, isLost: false, now });
    await site.append(30);
    const both = await site.signed(60);
    assert.equal(openedNote(both.note, [verifierKeyFrom(to.text)]).by.length, 1);
    assert.equal(openedNote(both.note, [verifierKeyFrom(from?.text ?? '')]).by.length, 1);

    await rotateKeys(signing(site), { head: both, until: now, isLost: false, now });
    await site.append(30);
    const last = await site.signed(90);
    assert.deepEqual(parsedNote(last.note).signatures.length, 2, 'the first key signs to its end');
    const [oldest = '', , newest = ''] = await site.keys();
    for (const key of [oldest, newest]) {
      const { findings } = await verifyBundle(await site.bundle(last), { keys: [key] });
      assert.deepEqual(findings, [], key);
    }
    const stranger = verifierKeyFrom(oldest).text.replace(/\+.*/, '');
    assert.equal(stranger, origin);
  });

  test('a key that is over signs no more, and leads to the new one all the same', async (t) => {
    const site = await auditSite(t);
    await site.append(3);
    const head = await site.signed(3);
    const now = new Date();
    await rotateKeys(signing(site), { head, until: now, isLost: false, now });
    await site.append(3);
    const last = await site.signed(6);
    assert.equal(parsedNote(last.note).signatures.length, 1);
    const [oldest = ''] = await site.keys();
    assert.ok((await verifyBundle(await site.bundle(last), { keys: [oldest] })).ok);
  });

  test('a rotation that died half-way is gone on with', async (t) => {
    const site = await auditSite(t);
    await site.append(3);
    const head = await site.signed(3);
    const now = new Date();
    const dying = {
      ...site.memory,
      addKey: async () => {
        throw new Error('died');
      },
    };
    const rotation = { head, until: new Date(now.getTime() + 60_000), isLost: false, now };
    await assert.rejects(rotateKeys({ ...signing(site), memory: dying }, rotation), /died/);
    const begun = (await readKeyFile(site.keyFile))?.newest.text;
    const { to } = await rotateKeys(signing(site), rotation);
    assert.equal(to.text, begun);
    await site.append(3);
    assert.equal(parsedNote((await site.signed(6)).note).signatures.length, 2);
  });

  test('without its key nothing is signed, until a new one takes over without a hand-over', async (t) => {
    const site = await auditSite(t);
    await site.append(3);
    const head = await site.signed(3);
    await rm(site.keyFile);
    await site.append(3);
    const stop = site.keep();
    await until('the tree to have grown', async () => (await site.store.reach()).size === 6);
    await stop();
    assert.equal((await site.memory.newest())?.size, 3);
    const now = new Date();
    const rotation = { head, until: now, now };
    await assert.rejects(rotateKeys(signing(site), { ...rotation, isLost: false }), /hand-over/);
    await rotateKeys(signing(site), { ...rotation, isLost: true });
    const last = await site.signed(6);
    const [oldest = '', newest = ''] = await site.keys();
    assert.ok((await verifyBundle(await site.bundle(last), { keys: [newest] })).ok);
    assert.ok(!(await verifyBundle(await site.bundle(last), { keys: [oldest] })).ok);
  });

  test('a key file that others may read is refused', async (t) => {
    const site = await auditSite(t);
    await site.append(3);
    await site.signed(3);
    const path = join(site.directory, 'open');
    await writeFile(path, await readFile(site.keyFile), { mode: 0o644 });
    await assert.rejects(readKeyFile(path), /others than its owner may read it/);
  });
});
