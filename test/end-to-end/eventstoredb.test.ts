import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { imageApi } from '../support/api.ts';
import {
  type Daguerre,
  runStandalone,
  standaloneMain,
  startDaguerre,
} from '../support/daguerre.ts';
import {
  type EventStoreDbDouble,
  eventStoreDbDouble,
} from '../support/eventstoredb-double/double.ts';
import { ask } from '../support/http.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';

const bytes = randomBytes(2 * 1024 * 1024);

describe('the whole tree with its log in EventStoreDB (a protocol double)', () => {
  let double: EventStoreDbDouble;
  let daguerre: Daguerre | undefined;
  beforeEach(async () => {
    double = await eventStoreDbDouble();
    daguerre = await startedOn(double, []);
  });
  afterEach(async () => {
    await daguerre?.stop();
    await double.stop();
  });
  showLogOfFailures(() => daguerre);
  const running = (): Daguerre => {
    if (daguerre === undefined) throw new Error('it does not run');
    return daguerre;
  };

  test('serves a session from create to delete, and keeps no event in Postgres', async () => {
    const { url, postgresUrl } = running();
    const api = imageApi(url);
    const id = await api.create({ name: 'in another log' });
    await api.upload(id, bytes);
    await api.assertHolds(id, bytes);
    await api.call(204, `images/${id}/tags/seen`, { method: 'PUT' });
    assert.deepEqual((await api.show(id)).tags, ['seen']);
    const listed = await (await api.call(200, 'images')).json();
    assert.deepEqual(
      (listed as { images: { id: string }[] }).images.map((image) => image.id),
      [id],
    );
    await api.call(204, `images/${id}`, { method: 'DELETE' });
    await api.call(404, `images/${id}`);
    const types = double.log.stream(`image-${id}`).map(({ event }) => event.type);
    for (const type of ['ImageCreated', 'ImageActivated', 'TagAdded', 'ImageDeleted'])
      assert.ok(types.includes(type), `no ${type} among ${types}`);
    const client = new pg.Client(postgresUrl);
    await client.connect();
    const { rows } = await client.query(
      `select to_regclass('events') as events, (select count(*)::int from personal_records) as people`,
    );
    await client.end();
    assert.equal(rows[0].events, null);
    assert.ok(rows[0].people > 0, 'personal records lie in the Postgres of the read models');
  });

  test('goes on after every connection broke and the server was restarted', async () => {
    const api = imageApi(running().url);
    const before = await api.create();
    double.drop();
    const { log, port } = double;
    await double.stop();
    double = await eventStoreDbDouble({ log, port });
    const id = await until('the API to create again', () => api.create().catch(() => undefined));
    await api.upload(id, bytes);
    await api.upload(before, bytes);
    for (const image of [before, id]) await api.assertHolds(image, bytes);
  });

  test('operators’ commands read that log', async () => {
    const { url, dataDir } = running();
    const id = await imageApi(url).create();
    const settings = ['--data-dir', dataDir, '--event-log-url', double.url];
    const rebuilt = await told(cliMain, ['rebuild', ...settings]);
    assert.equal(rebuilt.code, 0, rebuilt.text);
    const shown = await told(cliMain, ['status', ...settings]);
    const head = double.log.stream(`image-${id}`).at(-1)?.position;
    assert.ok(shown.text.includes(`head at position ${head}`), shown.text);
    assert.equal((await imageApi(url).show(id)).status, 'queued');
  });
});

describe('limits and what is told, with the log in EventStoreDB (a protocol double)', () => {
  const project = 'red';
  const alice = { 'X-Auth-Token': `alice:${project}:member` };
  let double: EventStoreDbDouble;
  let daguerre: Daguerre;
  before(async () => {
    double = await eventStoreDbDouble();
    const limits = ['--image-count-quota', '2', '--user-storage-quota', '3MB'];
    daguerre = await startedOn(double, limits);
  });
  after(async () => {
    await daguerre.stop();
    await double.stop();
  });
  showLogOfFailures(() => daguerre);

  const image = JSON.stringify({ disk_format: 'raw', container_format: 'bare' });
  const create = (token = alice) =>
    ask(daguerre.url, '/v2/images', { method: 'POST', headers: token, body: image });
  const upload = (id: unknown) =>
    ask(daguerre.url, `/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { ...alice, 'Content-Type': 'application/octet-stream' },
      body: bytes,
    });
  const reserved = () => double.log.stream(`project-${project}`).map(({ event }) => event.type);

  test('counts what a project has, refuses what is too much, and lets go of what is deleted', async () => {
    const [first, second] = [await create(), await create()];
    assert.deepEqual([first.status, second.status], [201, 201], second.text);
    assert.equal((await create()).status, 413);
    const [kept, refused] = [first.json().id, second.json().id];
    assert.equal((await upload(kept)).status, 204);
    assert.equal((await upload(refused)).status, 413);
    const gone = { method: 'DELETE', headers: alice };
    assert.equal((await ask(daguerre.url, `/v2/images/${kept}`, gone)).status, 204);
    assert.equal((await upload(refused)).status, 204);
    assert.equal((await create()).status, 201);
    for (const type of ['QuotaReserved', 'QuotaCommitted'])
      assert.ok(reserved().includes(type), `no ${type} among ${reserved()}`);
    const usage = await ask(daguerre.url, '/v2/info/usage', { headers: alice });
    const { image_count_total: count, image_size_total: size } = usage.json().usage as Used;
    assert.deepEqual([count?.usage, size?.usage], [2, 2]);
  });

  test('is told whole by the operator’s tail, refusals too, from the past on and as it happens', async (t) => {
    const settings = ['--data-dir', daguerre.dataDir, '--event-log-url', double.url];
    const tailing = runStandalone(['events', 'tail', '--all', '--json', '--from=0', ...settings], {
      main: cliMain,
    });
    const own = () => double.log.all.filter(({ stream }) => !stream.startsWith('$'));
    t.after(() => tailing.child.kill());
    const printed = (): readonly string[] =>
      tailing
        .log()
        .split('\n')
        .slice(0, -1)
        .map((line) => String(JSON.parse(line).position));
    const caughtUp = () =>
      until('the tail to reach the end', () => printed().length >= own().length);
    await caughtUp();
    const reader = { 'X-Auth-Token': `rita:${project}:reader` };
    assert.equal((await create(reader)).status, 403);
    await until('the refusal', () => tailing.log().includes('rita'));
    await caughtUp();
    assert.deepEqual(
      printed(),
      own().map(({ position }) => String(position)),
    );
    for (const type of ['ImageDeleted', 'QuotaReserved', 'RequestRefused'])
      assert.match(tailing.log(), new RegExp(`"(daguerre\\.v1\\.image\\.)?${type}"`));
    tailing.child.kill('SIGINT');
    assert.equal((await tailing.ended).code, 0);
  });

  test('is told on pages as far as it is for others', async () => {
    const page = await ask(daguerre.url, '/events/v1?limit=1000', { headers: alice });
    const { events, next, head } = page.json() as unknown as Page;
    assert.equal(next, head);
    const types = events.map(({ type }) => type.replace('daguerre.v1.image.', ''));
    assert.equal(types.filter((type) => type === 'ImageCreated').length, 3);
    assert.ok(!types.some((type) => /Quota|Refused|Claimed/.test(type)), types.join());
  });
});

interface Used {
  readonly [resource: string]: { readonly usage: number } | undefined;
}

interface Page {
  readonly events: readonly { readonly type: string }[];
  readonly next: string;
  readonly head: string;
}

describe('an --event-log-url of EventStoreDB that cannot be used', () => {
  for (const [given, reason] of [
    ['127.0.0.1:1?tls=false', /--event-log-url: cannot be reached: .*ECONNREFUSED/],
    ['127.0.0.1:1?tls=maybe', /--event-log-url: .*expected true or false/],
    ['127.0.0.1:1?colour=red', /--event-log-url: there is no option colour/],
    ['127.0.0.1:1?tlsCAFile=/none.pem', /--event-log-url: .*certificate file/],
  ] as const)
    test(`is refused with its reason: ${given}`, async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'daguerre-'));
      const url = `esdb://admin:secret@${given}`;
      const { text } = await told(standaloneMain, ['--event-log-url', url, '--data-dir', dataDir]);
      await rm(dataDir, { recursive: true });
      assert.match(text, reason);
      assert.doesNotMatch(text, /secret/);
    });
});

/** A double that is left running would keep this process from ever ending. */
async function startedOn(double: EventStoreDbDouble, args: readonly string[]): Promise<Daguerre> {
  try {
    return await startDaguerre({ args: ['--event-log-url', double.url, ...args] });
  } catch (error) {
    await double.stop();
    throw error;
  }
}

const cliMain = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

async function told(main: string, args: readonly string[]) {
  const { ended, log } = runStandalone(args, { main });
  const { code } = await ended;
  return { code, text: log() };
}
