import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { beginningOf } from '../../apps/export/beginning.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import type { History } from '../../projections/history/history.ts';
import { eventStoreDbDouble } from '../support/eventstoredb-double/double.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { exportedText } from './exported-files.ts';
import { exporterProcess } from './exporter-process.ts';
import { collapsed, dice, exportSite, fact, noHistory, type Site, target } from './site.ts';
import { syslogReceiver } from './syslog-receiver.ts';
import { saying, taking, type WebReceiver, webReceiver } from './web-receiver.ts';

interface Told {
  readonly id: string;
  readonly position: string;
}

const toldTo = ({ kept }: WebReceiver): readonly Told[] =>
  kept.flatMap(({ body }) =>
    body
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line)),
  );
const idsAt = (receiver: WebReceiver): readonly string[] => toldTo(receiver).map(({ id }) => id);
const post = (receiver: WebReceiver, more: object = {}) => ({
  ...{ id: 'siem', type: 'http', url: receiver.url, 'timeout-ms': 1_000 },
  ...more,
});

/** Until all that happened so far was told; then, that nothing is missing and each image is in order. */
async function requireAllTold(site: Site, receiver: WebReceiver, why = ''): Promise<void> {
  await until('it to have begun', () => standingOf(site));
  const all = await until('all to be told', async () => {
    const [told, events] = [new Set(idsAt(receiver)), await site.all()];
    return events.every(({ id }) => told.has(id)) ? events : undefined;
  });
  const got = collapsed(idsAt(receiver));
  for (const stream of new Set(all.map(({ streamId }) => streamId))) {
    const its = new Set(all.filter(({ streamId }) => streamId === stream).map(({ id }) => id));
    assert.deepEqual(
      got.filter((id) => its.has(id)),
      [...its],
      why,
    );
  }
}

const standingOf = async (site: Site) => (await site.cursors.standings())[0];
const refused = (site: Site) =>
  until('a record to be refused', async () => {
    const standing = await standingOf(site);
    return standing?.refused === null ? undefined : standing;
  });

describe('An export', () => {
  test('tells lines of JSON, or one document in a request', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(5);
    site.start(target(post(receiver)));
    site.start(target(post(receiver, { id: 'one', 'max-records': 1, format: 'cadf' })));
    await until('both', () => idsAt(receiver).length >= 2 * 5);
    const types = receiver.kept.map(({ headers }) => headers['content-type']);
    assert.ok(types.includes('application/x-ndjson') && types.includes('application/json'));
  });

  test('loses nothing to a receiver that fails, hangs up or says nothing, at random', async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const upTo = dice(seed);
    const site = await exportSite(t);
    const receiver = await webReceiver();
    receiver.answerWith((request, response, keep) => {
      const fate = upTo(8);
      if (fate === 0) response.destroy();
      else if (fate === 1) saying(503)(request, response, keep);
      else if (fate === 2) {
        keep();
        response.destroy();
      } else if (fate === 3) saying(400)(request, response, keep);
      else if (fate > 4 || request.body.length % 5 > 0) taking(request, response, keep);
      // Or nothing at all: it waits in vain.
    });
    site.start(target(post(receiver, { 'max-records': 10, 'timeout-ms': 100 })));
    for (let round = 0; round < 5; round += 1) {
      await site.append(40);
      if (round % 2 === 0) continue;
      await receiver.die();
      await delay(upTo(50));
      await receiver.comeBack();
    }
    await requireAllTold(site, receiver, `seed ${seed}`);
  });

  test('loses nothing when its process is killed at random moments', async (t) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const upTo = dice(seed);
    const site = await exportSite(t);
    const receiver = await webReceiver();
    const said = post(receiver, { 'max-records': 7 });
    for (let death = 0; death < 5; death += 1) {
      const { began, kill } = exporterProcess(site.database.url, site.directory, said);
      const appending = site.append(100);
      await began;
      await delay(upTo(80));
      await kill();
      await appending;
    }
    site.start(target(said));
    await requireAllTold(site, receiver, `seed ${seed}`);
  });

  test('waits for history, and tells nothing that it has not taken in', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(10);
    let upTo = 0n;
    const history: History = { ...noHistory(site.log), checkpoint: async () => upTo };
    site.start(target(post(receiver)), history);
    await until('it to have begun', () => standingOf(site));
    assert.deepEqual(idsAt(receiver), []);
    upTo = 4n;
    await until('four', () => idsAt(receiver).length === 4);
    upTo = 100n;
    await requireAllTold(site, receiver);
  });

  test('does without its cursor, and without the table of cursors', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    const one = target(post(receiver));
    const first = site.start(one);
    await site.append(10);
    await requireAllTold(site, receiver);
    await site.database.pool.query('delete from audit_exports');
    await site.append(10);
    await requireAllTold(site, receiver);
    await site.database.pool.query('drop table audit_exports');
    await site.append(10);
    await requireAllTold(site, receiver);
    await first.stop();
    await site.database.pool.query('drop table audit_exports');
    const before = idsAt(receiver).length;
    site.start(one);
    await until('everything to be told again', async () => {
      const again = idsAt(receiver).slice(before);
      return new Set(again).size === (await site.all()).length;
    });
  });

  test('goes on from what it told the log where its cursor is lost', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    const one = target(post(receiver));
    await site.append(30);
    const first = site.start(one, noHistory(site.log), { acknowledgeEvery: 20 });
    await until('the log to be told', async () => {
      const { revision } = await site.log.readStream('export-siem');
      return revision === 1;
    });
    await requireAllTold(site, receiver);
    await first.stop();
    await site.database.pool.query('delete from audit_exports');
    const { position } = await beginningOf(site.log, one);
    assert.ok(position >= 20n && position <= 32n);
    const before = toldTo(receiver).length;
    await site.append(1);
    site.start(one);
    await until('more', () => toldTo(receiver).length > before);
    assert.equal(toldTo(receiver)[before]?.position, String(position + 1n));
  });

  test('from now on begins there, and there again where its cursor is lost', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(10);
    const one = target(post(receiver, { from: 'now' }));
    const first = site.start(one);
    await until('it to have begun', () => standingOf(site));
    await site.append(5);
    await until('what came', () => new Set(idsAt(receiver)).size >= 6);
    assert.ok(toldTo(receiver).every(({ position }) => BigInt(position) > 10n));
    await first.stop();
    await site.append(5);
    await site.database.pool.query('delete from audit_exports');
    const before = toldTo(receiver).length;
    site.start(one);
    await until('the rest', () => toldTo(receiver).length >= before + 11);
    const again = toldTo(receiver).slice(before);
    assert.equal(again[0]?.position, toldTo(receiver)[0]?.position);
    assert.equal((await beginningOf(site.log, one)).position, 10n);
  });

  test('stops at a record that is refused, and goes on where it is taken after all', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(30);
    const poison = (await site.all())[11]?.id ?? '';
    receiver.answerWith((request, response, keep) => {
      if (request.body.includes(poison)) saying(422, 'no such thing')(request, response, keep);
      else taking(request, response, keep);
    });
    site.start(target(post(receiver)));
    const standing = await refused(site);
    assert.deepEqual([standing?.position, standing?.refused], [11n, 12n]);
    assert.equal(standing?.error, 'answered 422: no such thing');
    assert.deepEqual(
      idsAt(receiver),
      (await site.all()).slice(0, 11).map(({ id }) => id),
    );
    receiver.answerWith(taking);
    await requireAllTold(site, receiver);
    assert.equal((await standingOf(site))?.error, null);
  });

  test('goes on from where an operator moves it', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(10);
    const exporting = site.start(target(post(receiver)));
    await requireAllTold(site, receiver);
    assert.ok(await site.cursors.move('siem', { position: 4n, eventId: null }));
    await exporting.ended;
    const before = toldTo(receiver).length;
    site.start(target(post(receiver)));
    await until('it again', () => toldTo(receiver).length > before);
    assert.equal(toldTo(receiver)[before]?.position, '5');
  });

  test('ends at once, though nobody answers', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    const mute = await syslogReceiver();
    mute.stall();
    await site.append(1);
    let asked = 0;
    receiver.answerWith(() => {
      asked += 1;
    });
    const patient = { 'timeout-ms': 600_000 };
    const exporting = [
      site.start(target(post(receiver, patient))),
      site.start(target(post(receiver, { ...patient, id: 'collector', type: 'otlp' }))),
      site.start(
        target({
          ...{ id: 'syslog', type: 'syslog', host: '127.0.0.1', port: mute.port, tls: false },
          ...patient,
        }),
      ),
    ];
    await until('all to wait', () => asked === 2 && mute.connections === 1);
    await Promise.all(exporting.map(({ stop }) => stop()));
    assert.ok((await site.cursors.standings()).every(({ error }) => error === null));
  });

  test('is ended by who claims its target', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    const first = site.start(target(post(receiver)));
    await until('it to have begun', () => standingOf(site));
    site.start(target(post(receiver)));
    await first.ended;
  });

  test('does not go on in a log that was set back to an older state', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    const { log, cursors } = site;
    await log.append('image-1', [fact(), fact()], -1);
    await cursors.claim('siem', '00000000-0000-4000-8000-000000000000', async () => ({
      position: 7n,
      eventId: null,
    }));
    const first = site.start(target(post(receiver)));
    await until('it to be said', async () =>
      /the log ends at position 2, but 7 was exported/.test((await standingOf(site))?.error ?? ''),
    );
    await first.stop();
    await cursors.move('siem', { position: 1n, eventId: '00000000-0000-4000-8000-000000000000' });
    site.start(target(post(receiver)));
    await until('it to be said', async () =>
      /the event at position 1 is not the one/.test((await standingOf(site))?.error ?? ''),
    );
    assert.deepEqual(receiver.kept, []);
  });
});

test('An export of a log in EventStoreDB goes on between events whose positions lie apart', async (t) => {
  const double = await eventStoreDbDouble();
  t.after(() => double.stop());
  const site = await exportSite(t, () =>
    eventStoreDbEventLog(double.url, { log: silent, upcast: (event) => event }),
  );
  const receiver = await webReceiver();
  const said = { 'max-records': 3 };
  for (let round = 0; round < 3; round += 1) {
    const exporting = site.start(target(post(receiver, said)));
    const files = site.start(target({ id: 'files', type: 'file' }));
    await site.append(10);
    await requireAllTold(site, receiver);
    await until('the files to have it', async () => {
      const head = await site.log.head();
      return (await site.cursors.standings()).every(({ position }) => position === head);
    });
    await exporting.stop();
    await files.stop();
    if (round === 1) await site.database.pool.query('delete from audit_exports');
  }
  const text = await exportedText(join(site.directory, 'audit', 'export', 'files'));
  assert.deepEqual(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
    (await site.all()).map(({ id }) => id),
  );
});

test('What is personal is told as long as it is kept, and to who may have it', async (t) => {
  const site = await exportSite(t);
  const receiver = await webReceiver();
  const person = { userId: 'alice', userName: 'Al', remoteAddress: '192.0.2.7', userAgent: 'x' };
  await site.database.pool.query(
    `insert into personal_records (hash, salt, user_id, data) values ('kept', '', 'alice', $1)`,
    [JSON.stringify(person)],
  );
  await site.log.append('image-1', [fact('TagAdded', 'kept'), fact('TagAdded', 'erased')], -1);
  for (const personal of [true, false])
    for (const format of ['event', 'cadf'] as const) {
      const before = receiver.kept.length;
      const id = `${format}-${personal}`;
      const exporting = site.start(
        target(post(receiver, { id, format, personal, 'max-records': 1 })),
      );
      await until('both', () => receiver.kept.length >= before + 2);
      await exporting.stop();
      const [one = '', other = ''] = receiver.kept.slice(before).map(({ body }) => body);
      assert.equal(one.includes('192.0.2.7'), personal, one);
      assert.ok(!other.includes('192.0.2.7'));
    }
});
