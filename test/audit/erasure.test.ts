import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { checkLog } from '../../apps/audit/check.ts';
import { eraseUser } from '../../apps/audit/erase.ts';
import type { Metadata } from '../../domain/event-log.ts';
import { exposureOf } from '../../domain/outside/exposure.ts';
import { imageBundle } from '../../infra/audit/bundle.ts';
import { verifyBundle } from '../../infra/audit/verifier.ts';
import { personalRecords } from '../../infra/personal/records.ts';
import { auditSite, fact } from './site.ts';

const person = (userId: string, userAgent: string) => ({
  userId,
  userName: `${userId} of the red team`,
  remoteAddress: '192.0.2.7',
  userAgent,
});
const byOperator: Omit<Metadata, 'causationId'> = {
  actor: { kind: 'system', part: 'cli' },
  requestId: 'req-1',
  correlationId: 'd',
};

test('erased records leave every proof as it was, and nothing that names the user', async (t) => {
  const site = await auditSite(t);
  const { pool } = site.database;
  const records = personalRecords(pool, { recheckMs: 0 });
  const hashes = [
    await records.remember(person('alice', 'curl')),
    await records.remember(person('alice', 'glance')),
    await records.remember(person('bob', 'curl')),
  ];
  const imageId = randomUUID();
  const events = hashes.map((personal) => {
    const event = fact();
    return { ...event, metadata: { ...event.metadata, personal } };
  });
  await site.appendTo(`image-${imageId}`, events);
  const before = await site.signed(3);
  const keys = await site.keys();
  const proven = async () => {
    const lines: string[] = [];
    for await (const line of imageBundle(site.ports, before, imageId)) lines.push(line);
    assert.deepEqual((await verifyBundle(lines, { keys })).findings, []);
    return lines;
  };
  const bundle = await proven();

  const erased = await eraseUser({ log: site.log, besideLog: pool }, 'alice', byOperator);

  assert.equal(erased, 2);
  assert.deepEqual(await proven(), bundle);
  assert.ok((await checkLog(site.ports, before)).ok);
  const { rows } = await pool.query('select hash, salt, user_id, data from personal_records');
  assert.deepEqual(
    rows.map(({ hash, user_id }) => [hash, user_id]),
    [[hashes[2], 'bob']],
  );
  const after = await site.signed(5);
  assert.ok((await checkLog(site.ports, after)).ok);

  const told = (await site.log.readAll(3n, 10)).map(({ type, data, streamId }) => {
    assert.equal(exposureOf({ type, streamId }), 'inside');
    return [type, data];
  });
  assert.deepEqual(told, [
    ['PersonalErasureOrdered', { userId: 'alice' }],
    ['PersonalRecordsErased', { userId: 'alice', records: 2 }],
  ]);
});

test('who was erased and comes again has a new record, under another salt', async (t) => {
  const site = await auditSite(t);
  const { pool } = site.database;
  const records = personalRecords(pool, { recheckMs: 0 });
  const alice = person('alice', 'curl');
  const hash = await records.remember(alice);
  assert.equal(await records.remember(alice), hash, 'looked for again, and found');
  await eraseUser({ log: site.log, besideLog: pool }, 'alice', byOperator);
  const again = await records.remember(alice);
  assert.notEqual(again, hash);
  const { rows } = await pool.query('select hash from personal_records');
  assert.deepEqual(rows, [{ hash: again }]);
});

test('a user of whom nothing is known is erased, too: the log says that there was nothing', async (t) => {
  const site = await auditSite(t);
  const { pool } = site.database;
  assert.equal(await eraseUser({ log: site.log, besideLog: pool }, 'nobody', byOperator), 0);
  const [, last] = await site.log.readAll(0n, 10);
  assert.deepEqual(last?.data, { userId: 'nobody', records: 0 });
});
