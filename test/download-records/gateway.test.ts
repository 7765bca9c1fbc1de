import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { describe, type TestContext, test } from 'node:test';
import {
  type DownloadRecorder,
  recordDownloads,
  usualPace,
} from '../../apps/gateway/downloads/record.ts';
import { recordingSwitches } from '../../apps/gateway/downloads/switches.ts';
import { LogUnavailable } from '../../domain/event-log.ts';
import { logger } from '../../infra/telemetry/logger.ts';
import { admin, alice, bob, startGateway, type TestGateway } from '../support/gateway.ts';
import { downloadsIn } from '../support/gateway-downloads.ts';
import { shuffled } from './shuffled.ts';

const bytes = randomBytes(20_000);
type Told = Readonly<Record<string, unknown>>;
const auditor = 'otto:office:auditor';

const downloadEvents = async ({ ports }: TestGateway): Promise<readonly string[]> =>
  (await ports.log.readAll(0n, 100_000))
    .filter(({ streamId }) => streamId.startsWith('downloads-'))
    .map(({ type }) => type);

/** Gives the status; the connection is used again. */
function readPart(gateway: TestGateway, agent: Agent, path: string, start: number, end: number) {
  const headers = { 'X-Auth-Token': alice, Range: `bytes=${start}-${end - 1}` };
  return new Promise<number | undefined>((resolve, reject) => {
    request(`${gateway.url}${path}`, { agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    })
      .on('error', reject)
      .end();
  });
}

/** A gateway whose downloads are all told of, as having ended, when the test says so. */
async function startTelling(t: TestContext) {
  const recorders: DownloadRecorder[] = [];
  const gateway = await startGateway(t, {
    change: (ports) => {
      const { log, personal } = ports;
      const switches = recordingSwitches({ log, isOnByDefault: true, isCurrent: () => false });
      const recorder = recordDownloads({
        ...{ log, personal, switches, now: () => new Date(), writer: 'gateway-telling' },
        logger: logger('downloads', 'silent'),
        pace: { ...usualPace, idleMs: 2 ** 30, longestMs: 2 ** 30 },
      });
      recorders.push(recorder);
      return { ...ports, downloads: { ...ports.downloads, recorder, switches } };
    },
  });
  const tellAll = async (): Promise<void> => {
    for (const recorder of recorders) await recorder.stop();
  };
  t.after(tellAll);
  return { gateway, tellAll };
}

describe('GET /v2/images/{id}/file', () => {
  test('asked for in thousands of parts leaves a handful of events, and exactly what was read', async (t) => {
    const { gateway, tellAll } = await startTelling(t);
    const path = `/v2/images/${await gateway.createActive(bytes)}/file`;
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    t.after(() => agent.destroy());
    const parts = shuffled(Array.from({ length: 2_500 }, (_, index) => index));
    const wanted = parts.filter((part) => part % 25 !== 7);
    const waiting = [...wanted];
    const reader = async (): Promise<void> => {
      for (;;) {
        const part = waiting.pop();
        if (part === undefined) return;
        assert.equal(await readPart(gateway, agent, path, part * 8, part * 8 + 8), 206);
      }
    };
    await Promise.all(Array.from({ length: 8 }, reader));
    await tellAll();
    const [known] = await downloadsIn(gateway.ports.log);
    const gaps = Array.from({ length: 100 }, (_, index) => index * 200 + 56);
    const edges = [0, ...gaps.flatMap((start) => [start, start + 8]), bytes.length];
    const extents = Array.from({ length: 101 }, (_, i) => [edges[2 * i], edges[2 * i + 1]]);
    assert.deepEqual(known?.sent?.extents, extents);
    assert.deepEqual(
      [known?.sent?.reads, known?.sent?.bytes, known?.sent?.exact],
      [wanted.length, 8 * wanted.length, true],
    );
    assert.ok((await downloadEvents(gateway)).length <= 8, 'one a minute, and two');
  });

  test('tells of a whole image that it was whole', async (t) => {
    const { gateway, tellAll } = await startTelling(t);
    const id = await gateway.createActive(bytes);
    const path = `/v2/images/${id}`;
    await gateway.ask(`${path}/file`);
    const history = `/history/v1/images/${id}/downloads`;
    const states = async () =>
      ((await gateway.ask(history)).json().downloads as Told[]).map(({ state }) => state);
    assert.deepEqual(await states(), ['running']);
    await tellAll();
    const [told, ...more] = (await gateway.ask(history)).json().downloads as Told[];
    assert.deepEqual(more, []);
    const {
      image_id,
      state,
      size,
      reads,
      bytes: sent,
      extents,
      exact,
      complete,
      rule,
    } = told ?? {};
    assert.deepEqual(
      { image_id, state, size, reads, sent, extents, exact, complete, rule },
      {
        ...{ image_id: id, state: 'ended', size: bytes.length, reads: 1, sent: bytes.length },
        ...{ extents: [[0, bytes.length]], exact: true, complete: true, rule: 'download_image' },
      },
    );
    assert.equal((told?.actor as { user_id?: string } | undefined)?.user_id, 'alice');
  });

  test('records nothing of what sends nothing', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(bytes);
    const empty = await gateway.create();
    const asked: readonly [number, string, object][] = [
      [204, `/v2/images/${empty}/file`, {}],
      [404, `/v2/images/${id}/file`, { token: bob }],
      [403, `/v2/images/${id}/file`, { token: 'rita:red:reader' }],
      [405, `/v2/images/${id}/file`, { method: 'HEAD' }],
      [416, `/v2/images/${id}/file`, { headers: { Range: 'bytes=99999-' } }],
    ];
    for (const [status, path, how] of asked)
      assert.equal((await gateway.ask(path, how)).status, status);
    assert.deepEqual(await downloadEvents(gateway), []);
  });

  test('sends nothing when it cannot be recorded', async (t) => {
    let failing = false;
    const gateway = await startGateway(t, {
      change: (ports) => {
        const { log, personal } = ports;
        const failingLog: Pick<typeof log, 'readStream' | 'append'> = {
          readStream: (...args) => log.readStream(...args),
          async append(...args) {
            if (failing) throw new LogUnavailable(new Error('gone'));
            return log.append(...args);
          },
        };
        const recorder = recordDownloads({
          ...{ log: failingLog, personal, switches: { isOn: async () => true } },
          ...{ now: () => new Date(), writer: 'gateway-failing' },
          logger: logger('downloads', 'silent'),
        });
        t.after(() => recorder.stop());
        return { ...ports, downloads: { ...ports.downloads, recorder } };
      },
    });
    const path = `/v2/images/${await gateway.createActive(bytes)}/file`;
    failing = true;
    const refused = await gateway.ask(path);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers['retry-after'], '1');
    assert.ok(!refused.bytes.includes(bytes.subarray(0, 100)));
    failing = false;
    assert.ok((await gateway.ask(path)).bytes.equals(bytes));
    failing = true;
    assert.equal((await gateway.ask(path)).status, 200, 'of a reader that is on record');
  });
});

describe('the switch of a project', () => {
  const path = '/history/v1/projects/red/recording';
  const set = (gateway: TestGateway, downloads: unknown, token = admin) =>
    gateway.send('PUT', path, { downloads }, token);

  test('says whether downloads of its images are recorded, whoever downloads', async (t) => {
    const gateway = await startGateway(t);
    const id = await gateway.createActive(bytes, { visibility: 'community' });
    const read = (token: string) => gateway.ask(`/v2/images/${id}/file`, { token });
    const off = await set(gateway, 'off');
    assert.deepEqual(off.json(), { project_id: 'red', downloads: 'off', recorded: false });
    for (const token of [alice, bob]) assert.equal((await read(token)).status, 200);
    assert.deepEqual(await downloadEvents(gateway), []);
    assert.equal((await set(gateway, 'on')).status, 200);
    for (const token of [alice, bob]) await read(token);
    assert.deepEqual(await downloadEvents(gateway), ['DownloadBegun', 'DownloadBegun']);
  });

  test('is a change of the project, with who turned it', async (t) => {
    const gateway = await startGateway(t);
    for (const to of ['off', 'off', 'default']) await set(gateway, to);
    const { changes } = (await gateway.ask('/history/v1/projects/red')).json();
    const told = (changes as Record<string, unknown>[]).map((change) => [
      change.type,
      (change.actor as { user_id: string }).user_id,
      change.rule,
      change.details,
    ]);
    const by = ['DownloadRecordingSet', 'root', 'set_download_recording'];
    assert.deepEqual(told, [
      [...by, { from: 'default', to: 'off' }],
      [...by, { from: 'off', to: 'default' }],
    ]);
  });

  test('is turned by administrators, and seen by the project', async (t) => {
    const gateway = await startGateway(t);
    const tokens = [admin, auditor, alice, 'rita:red:reader', 'nina:red:', bob, 'olga::member'];
    const asked = async (method: string) =>
      Promise.all(
        tokens.map(async (token) => {
          const body = method === 'PUT' ? { body: '{"downloads": "on"}' } : {};
          return (await gateway.ask(path, { method, token, ...body })).status;
        }),
      );
    assert.deepEqual(await asked('GET'), [200, 200, 200, 200, 403, 404, 404]);
    assert.deepEqual(await asked('PUT'), [200, 403, 403, 403, 403, 403, 403]);
  });

  test('takes on, off and default, and nothing else', async (t) => {
    const gateway = await startGateway(t);
    for (const downloads of [true, 'maybe', null, undefined])
      assert.equal((await set(gateway, downloads)).status, 400);
    assert.equal(
      (await gateway.send('PUT', path, { downloads: 'on', more: 1 }, admin)).status,
      400,
    );
    assert.deepEqual((await gateway.ask(path)).json(), {
      ...{ project_id: 'red', downloads: 'default', recorded: true },
    });
  });
});
