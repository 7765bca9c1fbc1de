import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkLog } from '../../apps/audit/check.ts';
import { newSigningKey } from '../../infra/audit/keys.ts';
import type { SignedHead } from '../../infra/audit/memory.ts';
import { parsedNote, signedNote } from '../../infra/audit/note.ts';
import { verifyBundle } from '../../infra/audit/verifier.ts';
import { auditSite, type Site } from './site.ts';

const verifier = fileURLToPath(new URL('../../infra/audit/verifier.js', import.meta.url));
const events = 700;

/** A log of 700 events, signed; then somebody changes the table. */
async function tampered(
  t: TestContext,
  sql: string,
): Promise<{ readonly site: Site; readonly head: SignedHead }> {
  const site = await auditSite(t);
  await site.append(events);
  const head = await site.signed(events);
  await site.tamper(sql);
  return { site, head };
}

/** What the program says that was copied to where nothing else of ours is. */
async function alone(
  { directory }: Site,
  lines: readonly string[],
  keys: readonly string[],
  more: readonly string[] = [],
): Promise<{ readonly code: number; readonly said: string }> {
  const [program, bundle] = [join(directory, 'verifier.mjs'), join(directory, 'bundle.ndjson')];
  await copyFile(verifier, program);
  await writeFile(bundle, lines.map((line) => `${line}\n`).join(''));
  const flags = keys.flatMap((key) => ['--key', key]);
  return new Promise((resolve) => {
    execFile(process.execPath, [program, bundle, ...flags, ...more], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), said: stdout + stderr }),
    );
  });
}

/** Both the stand-alone program and the check of the running log find it, and say the same. */
async function assertFound(t: TestContext, sql: string, ...expected: readonly RegExp[]) {
  const { site, head } = await tampered(t, sql);
  const { code, said } = await alone(site, await site.bundle(head), await site.keys());
  assert.equal(code, 1, said);
  for (const pattern of expected) assert.match(said, pattern);
  assert.match(said, /^NOT verified/m);
  const report = await checkLog(site.ports, head);
  assert.ok(!report.ok);
  assert.deepEqual(
    report.findings.map(({ what, message }) => `${what}: ${message}`),
    said.trim().split('\n').slice(0, -1),
  );
  return report;
}

describe('Of a log of 700 events, offline and with the public key alone', () => {
  test('nothing is found where nothing was changed', async (t) => {
    const { site, head } = await tampered(t, 'select 1');
    const { code, said } = await alone(site, await site.bundle(head), await site.keys());
    assert.match(said, /^verified: events 0 to 700, 700 compared/);
    assert.equal(code, 0);
    assert.ok((await checkLog(site.ports, head)).ok);
  });

  test('one flipped bit is found, and where', async (t) => {
    const report = await assertFound(
      t,
      `update events set data = jsonb_set(data, '{tag}', to_jsonb(
         chr(ascii(data ->> 'tag') # 1) || substr(data ->> 'tag', 2))) where position = 301`,
      /^altered: the event of index 300, at position 301, is not what was signed$/m,
    );
    assert.equal(report.findings.length, 1);
  });

  for (const [what, change] of [
    ['its time', "recorded_at = recorded_at + interval '1 millisecond'"],
    ['who did it', "metadata = jsonb_set(metadata, '{actor,userId}', '\"bob\"')"],
    ['its type', "type = 'TagRemoved'"],
    ['its id', 'id = gen_random_uuid()'],
    ['its stream', "stream_id = stream_id || '0'"],
    ['its schema version', 'schema_version = 2'],
  ] as const)
    test(`a change of ${what} is found`, async (t) => {
      await assertFound(
        t,
        `update events set ${change} where position = 512`,
        /^altered: the event of index 511, at position 512/m,
      );
    });

  test('one dropped event is found, and where', async (t) => {
    const report = await assertFound(
      t,
      'delete from events where position = 300',
      /^missing: the event of index 299 is not in the log any more$/m,
    );
    assert.equal(report.findings.length, 1);
  });

  test('several dropped events are found, and where each was', async (t) => {
    const report = await assertFound(
      t,
      'delete from events where position in (1, 256, 257, 699)',
      /index 0 /,
      /index 255 /,
      /index 256 /,
      /index 698 /,
    );
    assert.equal(report.findings.length, 4);
  });

  test('one inserted event is found, and where', async (t) => {
    const { site, head } = await tampered(t, 'select 1');
    // Between two others there is no position; whoever moves all that follow changes them all.
    await site.tamper('update events set position = -position where position > 400');
    await site.tamper('update events set position = 1 - position where position < 0');
    await site.tamper(`
      insert into events
      select 401, stream_id || '-x', 0, gen_random_uuid(), type, schema_version, recorded_at, data, metadata
      from events where position = 5`);
    const { code, said } = await alone(site, await site.bundle(head), await site.keys());
    assert.equal(code, 1);
    assert.match(said, /^altered: the event of index 400, at position 401/m);
    assert.doesNotMatch(said, /index 399\b/);
  });

  test('an event that was hidden where no reader looks is found', async (t) => {
    await assertFound(
      t,
      `insert into events
       select -7, stream_id, 3, gen_random_uuid(), type, schema_version, recorded_at, data, metadata
       from events where position = 5`,
      /^inserted: the event at position -7 was put in: the tree has none there$/m,
    );
  });

  test('two swapped events are found, and which', async (t) => {
    const report = await assertFound(
      t,
      `update events set position = -100 where position = 100;
       update events set position = 100 where position = 650;
       update events set position = 650 where position = -100`,
      /^swapped: the events of index 99 and 649, at positions 100 and 650, have changed places$/m,
    );
    assert.equal(report.findings.length, 1);
  });

  test('a truncated tail is found, and from where on', async (t) => {
    const report = await assertFound(
      t,
      'delete from events where position > 650',
      /^truncated: the event of index 650 is not in the log any more$/m,
    );
    assert.equal(report.findings.length, 50);
  });

  test('a forged checkpoint is found', async (t) => {
    const { site, head } = await tampered(t, 'select 1');
    const [first = '', ...rest] = await site.bundle(head);
    const header = JSON.parse(first);
    const { text } = parsedNote(head.note);
    const [key = ''] = await site.keys();
    const ours = newSigningKey(key.split('+')[0] ?? '');
    const smaller = text.replace('\n700\n', '\n699\n');
    for (const checkpoint of [
      head.note.replace('\n700\n', '\n699\n'),
      signedNote(text, [ours]),
      signedNote(smaller, [ours]),
      text,
    ]) {
      const forged = [JSON.stringify({ ...header, checkpoint }), ...rest];
      const { code, said } = await alone(site, forged, [key]);
      assert.equal(code, 1);
      assert.match(said, /^forged: the checkpoint is not signed by a key that is trusted$/m);
    }
  });

  test('a log that was changed and signed again by who has the key is found with a checkpoint that was kept', async (t) => {
    const { site, head } = await tampered(
      t,
      `update events set data = '{"tag": "other"}' where position = 77`,
    );
    const kept = join(site.directory, 'kept');
    await writeFile(kept, head.note);
    await site.database.pool.query('delete from audit_checkpoints');
    await site.store.drop();
    const own = join(site.directory, 'audit', 'checkpoint');
    await writeFile(own, '');
    const again = await site.signed(events);
    const keys = await site.keys();
    const lines = await site.bundle(again);
    assert.equal((await alone(site, lines, keys)).code, 0);
    const { code, said } = await alone(site, lines, keys, ['--seen', kept]);
    assert.equal(code, 1);
    assert.match(said, /^forged: the tree of 700 events is not the one that was seen$/m);
  });

  test('a bundle that was changed on its way is found', async (t) => {
    const { site, head } = await tampered(t, 'select 1');
    const lines = await site.bundle(head);
    const keys = await site.keys();
    const verified = async (changed: readonly string[]) =>
      (await verifyBundle(changed, { keys })).ok;
    assert.ok(await verified(lines));
    assert.ok(!(await verified(lines.slice(0, -1))));
    assert.ok(!(await verified(lines.slice(0, 100))));
    assert.ok(!(await verified([...lines.slice(0, 300), ...lines.slice(301)])));
    assert.ok(!(await verified([...lines.slice(0, 300), '{"entry":"{}"}', ...lines.slice(300)])));
    const tile = lines.findIndex((line) => line.startsWith('{"tile":1'));
    const wrong = lines.map((line, at) =>
      at === tile
        ? line.replace(/"leaves":"(.)/, (_, one) => `"leaves":"${one === 'A' ? 'B' : 'A'}`)
        : line,
    );
    const report = await verifyBundle(wrong, { keys });
    assert.deepEqual(
      report.findings.map(({ what, index }) => `${what} ${index}`),
      ['forged 256', 'altered 256'],
    );
  });
});
