import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { AppendUnknown, LogUnavailable, RevisionConflict } from '../../domain/event-log.ts';
import { problemWithConnectionString } from '../../infra/event-log/eventstoredb/connection-string.ts';
import { eventStoreDbEventLog } from '../../infra/event-log/eventstoredb/event-log.ts';
import { noted } from '../contracts/noted.ts';
import { type DoubleOptions, eventStoreDbDouble } from '../support/eventstoredb-double/double.ts';
import { selfSigned } from '../support/keystone-certificate.ts';
import { silent } from '../support/silent-log.ts';

describe('a connection to EventStoreDB (a protocol double)', () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  const start = async (options?: DoubleOptions) => {
    const double = await eventStoreDbDouble(options);
    ends.push(double.stop);
    return double;
  };
  const open = (url: string) => {
    const log = eventStoreDbEventLog(url, { log: silent, upcast: (event) => event });
    ends.push(log.close);
    return log;
  };

  test('is encrypted and has the name and password of its string', async () => {
    const tls = await selfSigned('127.0.0.1');
    const directory = await mkdtemp(join(tmpdir(), 'esdb-'));
    ends.push(() => rm(directory, { recursive: true }));
    const authority = join(directory, 'authority.pem');
    await writeFile(authority, tls.cert);
    const { port } = await start({ tls, credentials: 'admin:changeit' });
    const at = `127.0.0.1:${port}?tlsCAFile=${encodeURIComponent(authority)}`;
    const log = open(`esdb://admin:changeit@${at}`);
    await log.append('secret', [noted('said')], -1);
    await assert.rejects(log.append('secret', [noted('late')], -1), RevisionConflict);
    assert.equal((await log.readStream('secret')).revision, 0);
    for await (const [event] of log.follow(0n, new AbortController().signal)) {
      assert.equal(event?.data.note, 'said');
      break;
    }
    for (const refused of [`esdb://admin:wrong@${at}`, `esdb://admin:changeit@127.0.0.1:${port}`]) {
      const stranger = open(refused);
      await assert.rejects(stranger.append('secret', [noted('no')], 0), LogUnavailable);
      await assert.rejects(stranger.head(), LogUnavailable);
    }
  });

  test('finds the leader through any node, and goes after it when another leads', async () => {
    const first = await start();
    const second = await start({ log: first.log, leaderPort: first.port });
    const seeds = [first, second].map(({ port }) => `127.0.0.1:${port}`);
    for (const url of [
      `esdb://${seeds[1]}?tls=false`,
      `esdb://${seeds.join()}?tls=false`,
      `esdb+discover://${seeds[1]}?tls=false`,
    ]) {
      first.follow(undefined);
      second.follow(first.port);
      const [log, stream] = [open(url), `led-${url.length}-${url.includes('discover')}`];
      const asked = first.told.plainAppends;
      await log.append(stream, [noted('by the first')], -1);
      assert.equal(first.told.plainAppends, asked + 1);
      first.follow(second.port);
      second.follow(undefined);
      await log.append(stream, [noted('by the second')], 0);
      assert.equal((await log.readStream(stream)).revision, 1);
      assert.equal(first.told.plainAppends, asked + 1);
    }
  });

  test('to a cluster of which no node answers is given up in time', {
    timeout: 60_000,
  }, async () => {
    const [first, second] = [await start(), await start()];
    const url = `esdb://127.0.0.1:${first.port},127.0.0.1:${second.port}?tls=false`;
    for (const { pause } of [first, second]) pause();
    const log = eventStoreDbEventLog(url, {
      log: silent,
      upcast: (event) => event,
      timeoutMs: 200,
    });
    const stop = new AbortController();
    const following = (async () => {
      for await (const _ of log.follow(0n, stop.signal)) assert.fail('nothing can come');
    })();
    await assert.rejects(log.append('any', [noted('')], -1), AppendUnknown);
    await assert.rejects(log.head(), LogUnavailable);
    stop.abort();
    await following;
    await log.close();
  });

  test('has a string that says all it means', () => {
    for (const fine of [
      'esdb://localhost',
      'esdb://admin:changeit@localhost:2113?tls=false&keep-alive-interval=10000',
      'esdb+discover://user:p%40ss@cluster.example.org:2113?nodePreference=leader',
      'esdb://one:2113,two:2113,three:2113?tlsCAFile=%2Fetc%2Fca.pem',
    ])
      assert.equal(problemWithConnectionString(fine), undefined, fine);
    for (const [bad, why] of [
      ['esdb://?tls=false', /expected host/],
      ['http://localhost', /expected esdb:/],
      ['esdb://localhost:port', /port number/],
      ['esdb://localhost?tls=perhaps', /true or false/],
      ['esdb://localhost?tlsVerifyCert=false', /tlsCAFile/],
      ['esdb://localhost?throwOnAppendFailure=false', /cannot be used/],
      ['esdb://localhost?nodepreference=best', /expected leader/],
      ['esdb://me:secret@local host?tsl=true', /no option tsl/],
    ] as const) {
      const problem = problemWithConnectionString(bad);
      assert.match(problem ?? 'none', why);
      assert.doesNotMatch(problem ?? '', /secret/);
    }
  });
});
