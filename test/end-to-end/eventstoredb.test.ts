import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
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
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';

const bytes = randomBytes(2 * 1024 * 1024);

describe('the whole tree with its log in EventStoreDB (a protocol double)', () => {
  let double: EventStoreDbDouble;
  let daguerre: Daguerre | undefined;
  beforeEach(async () => {
    double = await eventStoreDbDouble();
    daguerre = await startDaguerre({ args: ['--event-log-url', double.url] });
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

const cliMain = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

async function told(main: string, args: readonly string[]) {
  const { ended, log } = runStandalone(args, { main });
  const { code } = await ended;
  return { code, text: log() };
}
