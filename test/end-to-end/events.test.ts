import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openStream } from '../outside/sse.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { ask } from '../support/http.ts';
import { until } from '../support/until.ts';
import { showLogOfFailures } from './failures.ts';

const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const alice = { 'X-Auth-Token': 'alice:red:member' };

describe('what happens, told outside by the whole tree', () => {
  let daguerre: Daguerre;
  before(async () => {
    daguerre = await startDaguerre();
  });
  after(() => daguerre.stop());
  showLogOfFailures(() => daguerre);

  const create = async (name: string): Promise<string> => {
    const body = JSON.stringify({ name, disk_format: 'raw', container_format: 'bare' });
    const headers = { ...alice, 'Content-Type': 'application/json' };
    const made = await ask(daguerre.url, '/v2/images', { method: 'POST', headers, body });
    assert.equal(made.status, 201, made.text);
    return String(made.json().id);
  };
  const upload = (id: string) =>
    ask(daguerre.url, `/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { ...alice, 'Content-Type': 'application/octet-stream' },
      body: Buffer.alloc(100_000, 'x'),
    });
  const run = (...args: readonly string[]) => {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pieces: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    return { child, output: () => pieces.join(''), ended };
  };

  test('is the same on a stream, on pages and in the operator’s tail', async () => {
    const tailing = run('events', 'tail', '--json', '--from=0', '--data-dir', daguerre.dataDir);
    const stream = await openStream(daguerre.url, '/events/v1/stream?after=0', alice);
    const id = await create('told');
    assert.equal((await upload(id)).status, 204);
    const streamed = (await stream.until(7)).map(({ document }) => document);
    const page = await ask(daguerre.url, `/events/v1?image=${id}`, { headers: alice });
    assert.deepEqual(page.json().events, streamed);
    const printed = await until('the tail to print as much', () => {
      const lines = tailing.output().trim().split('\n');
      return lines.length >= 7 && lines;
    });
    assert.deepEqual(
      printed.map((line) => JSON.parse(line)),
      streamed,
    );
    tailing.child.kill('SIGINT');
    assert.equal(await tailing.ended, 0);
    stream.close();
  });

  test('goes on where it was after the gateway, the projector and Postgres were killed', async () => {
    const got: string[] = [];
    const made: string[] = [];
    let at = '0';
    for (const victim of ['gateway', 'projector', 'postgres'] as const) {
      const open = () =>
        openStream(daguerre.url, '/events/v1/stream?type=ImageCreated', {
          ...alice,
          'Last-Event-ID': at,
        })
          .then((one) => (one.status === 200 ? one : undefined))
          .catch(() => undefined);
      const stream = await until('a stream', open);
      made.push(await create(`before the ${victim} dies`));
      await daguerre.kill(victim);
      const created = () => create(`after the ${victim} died`).catch(() => undefined);
      made.push(await until('the tree to go on', created));
      const whole = () => stream.events.at(-1)?.document.subject === `image/${made.at(-1)}`;
      let over = false;
      void stream.ended.then(() => {
        over = true;
      });
      await until('the events or the end of the stream', () => over || whole());
      stream.close();
      got.push(...stream.events.map(({ document }) => String(document.subject)));
      at = stream.lastId() || at;
    }
    const last = await until('a stream', () =>
      openStream(daguerre.url, '/events/v1/stream?type=ImageCreated', {
        ...alice,
        'Last-Event-ID': at,
      })
        .then((one) => (one.status === 200 ? one : undefined))
        .catch(() => undefined),
    );
    const all = () => [...got, ...last.events.map(({ document }) => String(document.subject))];
    await until('every image to be told of', () =>
      made.every((id) => all().includes(`image/${id}`)),
    );
    last.close();
    assert.equal(new Set(all()).size, all().length, 'none was told of twice');
  });

  test('has its schemas shipped', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-schemas-'));
    const shipping = run('events', 'schemas', directory);
    assert.equal(await shipping.ended, 0);
    const files = await readdir(directory);
    const served = (await ask(daguerre.url, '/events/v1/schemas', { headers: alice })).json()
      .schemas;
    assert.deepEqual(
      [...files].sort(),
      [...(served as string[]).map((path) => path.split('/').at(-1)), 'asyncapi.json'].sort(),
    );
    await rm(directory, { recursive: true });
  });
});
