import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { collapsed, dice, exportSite, type Site, target } from './site.ts';
import { type SyslogReceiver, syslogReceiver } from './syslog-receiver.ts';

const sdId = 'daguerre@32473';
const idsAt = ({ messages }: SyslogReceiver): readonly string[] =>
  messages.map(({ data }) => data.get(sdId)?.get('id') ?? '');

async function syslogTarget(receiver: SyslogReceiver, directory: string, more: object = {}) {
  const ca = join(directory, 'ca.pem');
  if (receiver.cert !== undefined) await writeFile(ca, receiver.cert);
  return target({
    id: 'siem',
    type: 'syslog',
    host: '127.0.0.1',
    port: receiver.port,
    tls: receiver.cert !== undefined,
    ...(receiver.cert === undefined ? {} : { 'ca-file': ca }),
    ...more,
  });
}

const hasAll = (site: Site, receiver: SyslogReceiver): Promise<readonly string[]> =>
  until('all events to be received', async () => {
    const all = (await site.all()).map(({ id }) => id);
    return new Set(idsAt(receiver)).size >= all.length ? all : undefined;
  });

for (const tls of [false, true])
  describe(`Syslog over ${tls ? 'TLS' : 'TCP'}`, () => {
    test('is RFC 5424 in frames that count octets, one record a message', async (t) => {
      const site = await exportSite(t);
      const receiver = await syslogReceiver({ tls });
      await site.append(20);
      site.start(await syslogTarget(receiver, site.directory));
      const all = await hasAll(site, receiver);
      assert.deepEqual(receiver.faults, []);
      assert.deepEqual(idsAt(receiver), all);
      const [event] = await site.log.readAll(0n, 1);
      const [message] = receiver.messages;
      assert.ok(message !== undefined && event !== undefined);
      assert.deepEqual(
        [message.facility, message.severity, message.hostName, message.appName, message.messageId],
        [13, 5, hostname(), 'daguerre', 'TagAdded'],
      );
      assert.equal(message.timestamp, event.recordedAt.toISOString());
      const document = JSON.parse(message.message);
      assert.deepEqual(
        [document.position, document.id, document.outcome, document.details],
        ['1', event.id, 'success', event.data],
      );
      const data = message.data.get(sdId);
      assert.deepEqual(
        ['position', 'kind', 'actor', 'rule', 'request'].map((name) => data?.get(name)),
        ['1', 'image', 'alice', 'modify_image', event.metadata.requestId],
      );
    });

    test('loses no record when the receiver dies and comes back at random moments', async (t) => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      const upTo = dice(seed);
      const site = await exportSite(t);
      const receiver = await syslogReceiver({ tls });
      site.start(await syslogTarget(receiver, site.directory, { format: 'cadf' }));
      for (let death = 0; death < 8; death += 1) {
        await site.append(40);
        await delay(upTo(60));
        if (death % 2 === 0) {
          // What was written by now is in nobody's hands but the kernel's, which forgets it.
          receiver.stall();
          await site.append(20);
        }
        await receiver.die();
        await site.append(upTo(20));
        await delay(upTo(30));
        await receiver.comeBack();
      }
      const all = await site.all();
      await hasAll(site, receiver);
      const got = collapsed(idsAt(receiver));
      assert.deepEqual(
        receiver.faults.filter((fault) => !/^ended within/.test(fault)),
        [],
      );
      for (const stream of new Set(all.map(({ streamId }) => streamId))) {
        const its = all.filter(({ streamId }) => streamId === stream).map(({ id }) => id);
        assert.deepEqual(
          got.filter((id) => its.includes(id)),
          its,
          `seed ${seed}`,
        );
      }
    });

    test('sends again what a receiver did not end the connection after', async (t) => {
      const site = await exportSite(t);
      const receiver = await syslogReceiver({ tls });
      receiver.stayOpen(true);
      await site.append(3);
      site.start(await syslogTarget(receiver, site.directory, { 'timeout-ms': 100 }));
      await until('it to be sent twice', () => idsAt(receiver).length > 2 * 3);
      const [standing] = await site.cursors.standings();
      assert.equal(standing?.position, 0n);
      assert.match(standing?.error ?? '', /has not ended the connection/);
      receiver.stayOpen(false);
      await until('it to be taken as received', async () => {
        const [now] = await site.cursors.standings();
        return now?.position === (await site.log.head()) && now?.error === null;
      });
    });
  });

test('A receiver that takes connections only to end them has taken nothing', async (t) => {
  const site = await exportSite(t);
  await site.append(3);
  const sockets = new Set<Socket>();
  // It reads nothing, so that its end and ours cross without an error.
  const ending = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.end();
  });
  await new Promise<void>((resolve) => ending.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    ending.close();
  });
  const { port } = ending.address() as AddressInfo;
  site.start(target({ id: 'siem', type: 'syslog', host: '127.0.0.1', port, tls: false }));
  const standing = await until('it to be tried ten times, or to be believed', async () => {
    const [now] = await site.cursors.standings();
    return sockets.size > 10 || (now?.position ?? 0n) > 0n ? now : undefined;
  });
  assert.equal(standing?.position, 0n);
  assert.match(standing?.error ?? '', /ended the connection before/);
});

test('A syslog receiver whose certificate is not known is told nothing', async (t) => {
  const site = await exportSite(t);
  const receiver = await syslogReceiver({ tls: true });
  await site.append(1);
  site.start(await syslogTarget({ ...receiver, cert: undefined }, site.directory, { tls: true }));
  await until('the reason to be kept', async () =>
    /self-signed certificate/.test((await site.cursors.standings())[0]?.error ?? ''),
  );
  assert.deepEqual(receiver.messages, []);
});

test('A record too long for the receiver is sent without what changed', async (t) => {
  const site = await exportSite(t);
  const receiver = await syslogReceiver();
  const [short, long] = ['short', 'long '.repeat(1_000)].map((tag, at) => ({
    ...{ id: `00000000-0000-4000-8000-00000000000${at}`, type: 'TagAdded', schemaVersion: 1 },
    data: { tag },
    metadata: {
      actor: { kind: 'system', part: 'test' } as const,
      ...{ requestId: 'req-1', causationId: 'one', correlationId: 'one' },
    },
  }));
  assert.ok(short !== undefined && long !== undefined);
  await site.log.append('image-1', [short, long], -1);
  for (const format of ['event', 'cadf']) {
    const before = receiver.messages.length;
    const more = { id: format, format, 'max-message-bytes': 2_048 };
    const exporting = site.start(await syslogTarget(receiver, site.directory, more));
    await until('both', () => receiver.messages.length >= before + 2);
    await exporting.stop();
    const [whole, cut] = receiver.messages.slice(before);
    assert.ok(whole?.message.includes('short'));
    assert.ok(!/abridged/.test(whole?.message ?? '') && /abridged/.test(cut?.message ?? ''));
    assert.equal(cut?.data.get(sdId)?.get('id'), long.id);
    assert.doesNotThrow(() => JSON.parse(cut?.message ?? ''));
  }
});
