import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Pool } from 'pg';
import type { EventLog } from '../../domain/event-log.ts';
import { openEventLog } from '../../infra/event-log/open.ts';
import { postgresPool } from '../../infra/postgres/pool.ts';
import { imageApi } from '../support/api.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { silent } from '../support/silent-log.ts';
import { until } from '../support/until.ts';
import { requireCadf } from './cadf-rules.ts';
import { exportedText } from './exported-files.ts';
import { syslogReceiver } from './syslog-receiver.ts';
import { saying, taking, webReceiver } from './web-receiver.ts';

type Document = Readonly<Record<string, unknown>> & { readonly id: string };

const cli = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));
const auditor = { 'X-Auth-Token': 'otto:office:auditor' };

let directory: string;
let configFile: string;
let daguerre: Daguerre;
let pool: Pool;
let log: EventLog;
const siem = await syslogReceiver();
const hook = await webReceiver();
const absent = await webReceiver();

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daguerre-exported-'));
  await absent.die();
  configFile = join(directory, 'daguerre.yaml');
  await writeFile(
    configFile,
    `audit-export-targets:
  - { id: files, type: file, dir: ${join(directory, 'files')}, max-bytes: 20000 }
  - { id: siem, type: syslog, host: 127.0.0.1, port: ${siem.port}, tls: false }
  - { id: hook, type: http, url: "${hook.url}", format: cadf }
  - { id: nowhere, type: otlp, url: "${absent.url}" }
`,
  );
  daguerre = await startDaguerre({ args: ['--config', configFile] });
  pool = postgresPool(daguerre.postgresUrl, { log: silent, max: 2 });
  log = await openEventLog(daguerre.postgresUrl, { log: silent, upcast: (event) => event });
});
after(async () => {
  await log?.close();
  await pool?.end();
  await daguerre?.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: readonly string[]): Promise<{ code: number; said: string }> =>
  new Promise((resolve) => {
    const flags = ['--data-dir', daguerre.dataDir, '--config', configFile];
    execFile(process.execPath, [cli, ...args, ...flags], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), said: stdout + stderr }),
    );
  });

const inFiles = async (): Promise<readonly Document[]> =>
  documents(await exportedText(join(directory, 'files')));
const documents = (text: string): readonly Document[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const idsOf = (some: readonly Document[]): readonly string[] => some.map(({ id }) => id);
const atHook = (): readonly Document[] => hook.kept.flatMap(({ body }) => documents(body));
const atSiem = (): readonly Document[] => siem.messages.map(({ message }) => JSON.parse(message));

/** Ids of everything in the log, once every target that is there has it. */
const allTold = (): Promise<readonly string[]> =>
  until('everything to be exported', async () => {
    const all = (await log.readAll(0n, 10_000)).map(({ id }) => id);
    const told = [await inFiles(), atHook(), atSiem()].map(
      (got) => new Set(got.map(({ id }) => id)),
    );
    return told.every((ids) => all.every((id) => ids.has(id))) ? all : undefined;
  });

const metric = async (name: string, target: string): Promise<number> => {
  const page = await (await fetch(`${daguerre.url}/metrics`)).text();
  const line = page
    .split('\n')
    .find((one) => one.startsWith(`daguerre_${name}{`) && one.includes(`target="${target}"`));
  return Number(line?.split(' ').at(-1));
};

describe('A running system', { concurrency: false }, () => {
  test('exports every event, to auditors as they see it themselves', async () => {
    const api = imageApi(daguerre.url);
    const id = await api.create({ name: 'exported' });
    await api.upload(id, Buffer.from('some bytes'));
    const headers = { 'X-Auth-Token': 'mallory:blue:member' };
    await fetch(`${daguerre.url}/v2/images/${id}`, { method: 'DELETE', headers });
    const all = await allTold();
    const files = await inFiles();
    assert.deepEqual(idsOf(files).slice(0, all.length), all);
    const answer = await fetch(`${daguerre.url}/history/v1/events?limit=1000`, {
      headers: auditor,
    });
    const { changes } = (await answer.json()) as { changes: readonly Document[] };
    assert.ok(changes.length > 4);
    for (const change of changes)
      assert.deepEqual(
        files.find((one) => one.id === change.id),
        change,
      );
    for (const one of atHook()) requireCadf(one);
    const refused = atHook().find(({ name }) => name === 'RequestRefused');
    assert.deepEqual([refused?.action, refused?.outcome], ['delete', 'failure']);
    const created = atHook().find(({ name }) => name === 'ImageCreated');
    const initiator = created?.initiator as { host?: { address?: string } } | undefined;
    assert.equal(initiator?.host?.address, '127.0.0.1');
    assert.deepEqual(siem.faults, []);
  });

  test('tells in its status and its metrics how far each target is, and what holds it up', async () => {
    await allTold();
    const { head, said } = await until('the status to say so', async () => {
      const now = { head: await log.head(), said: (await run('status')).said };
      return now.said.includes(`\nexport      hook at position ${now.head}, 0 behind\n`) && now;
    });
    assert.match(
      said,
      new RegExp(
        `^export {6}nowhere at position 0, ${head} behind; held up since .*ECONNREFUSED`,
        'm',
      ),
    );
    const listed = await run('audit', 'export', '--json');
    const standings = JSON.parse(listed.said) as readonly Document[];
    assert.deepEqual(
      standings.map(({ target, active }) => [target, active]),
      ['files', 'hook', 'nowhere', 'siem'].map((target) => [target, true]),
    );
    await until('the metrics to say so', async () => {
      const lag = await metric('export_lag', 'nowhere');
      return lag === Number(await log.head()) && (await metric('export_lag', 'hook')) === 0;
    });
    assert.equal(await metric('export_failing', 'nowhere'), 1);
    assert.equal(await metric('export_failing', 'files'), 0);
  });

  test('loses nothing when who exports is killed again and again', async () => {
    const api = imageApi(daguerre.url);
    for (let death = 0; death < 3; death += 1) {
      const creating = Promise.all(Array.from({ length: 20 }, () => api.create()));
      await siem.die();
      await daguerre.kill('projector');
      await creating;
      await siem.comeBack();
      await daguerre.part('projector');
    }
    const all = await allTold();
    // More may have happened since.
    assert.deepEqual(idsOf(await inFiles()).slice(0, all.length), all);
    for (const got of [atHook(), atSiem()])
      assert.deepEqual([...new Set(idsOf(got))].slice(0, all.length), all);
    assert.deepEqual(
      siem.faults.filter((fault) => !/^ended within/.test(fault)),
      [],
    );
  });

  test('does without its cursors', async () => {
    await allTold();
    await pool.query('drop table audit_exports');
    await imageApi(daguerre.url).create();
    await allTold();
    await daguerre.kill('projector');
    await pool.query('delete from audit_exports');
    await imageApi(daguerre.url).create();
    const all = await allTold();
    // More may have happened since.
    assert.deepEqual(idsOf(await inFiles()).slice(0, all.length), all);
  });

  test('tells a target everything that it missed once it is there', async () => {
    await absent.comeBack();
    await until('it to have all', () => {
      const bodies = absent.kept.map(({ body }) => body).join('');
      return log.readAll(0n, 10_000).then((all) => all.every(({ id }) => bodies.includes(id)));
    });
  });

  test('skips a record that is refused when an operator says so, and the log keeps that', async () => {
    await allTold();
    const id = await imageApi(daguerre.url).create();
    const { events } = await log.readStream(`image-${id}`);
    const poison = events[0]?.id ?? '';
    const before = atHook().filter((one) => one.id === poison).length;
    assert.equal((await run('audit', 'export', 'skip', 'files')).code, 1);
    hook.answerWith((request, response, keep) => {
      if (request.body.includes(`"id":"${poison}"`))
        saying(400, 'unwelcome')(request, response, keep);
      else taking(request, response, keep);
    });
    await pool.query(
      `update audit_exports set position = $1, event_id = null, moves = moves + 1 where target = 'hook'`,
      [String((events[0]?.position ?? 1n) - 1n)],
    );
    await until('the status to say so', async () =>
      /hook at .*; the record at position \d+ is refused since .*: answered 400: unwelcome/.test(
        (await run('status')).said,
      ),
    );
    const { code, said } = await run('audit', 'export', 'skip', 'hook');
    assert.equal(code, 0, said);
    await until('the rest to be told', async () => {
      const last = (await log.readAll(0n, 10_000)).at(-1)?.id;
      return atHook().some((one) => one.id === last);
    });
    hook.answerWith(taking);
    const skipped = (await log.readStream('export-hook')).events.at(-1);
    assert.equal(skipped?.type, 'AuditExportRecordSkipped');
    assert.deepEqual(
      [skipped?.data.eventId, skipped?.data.reason],
      [poison, 'answered 400: unwelcome'],
    );
    assert.ok(atHook().filter((one) => one.id === poison).length <= before + 1);
  });

  test('tells again from where an operator rewinds it to; of files, once they are moved away', async () => {
    await allTold();
    const before = atHook().length;
    assert.equal((await run('audit', 'export', 'rewind', 'hook', '--to', '0')).code, 0);
    const all = await log.readAll(0n, 10_000);
    await until('all of it', () => {
      const again = new Set(
        atHook()
          .slice(before)
          .map(({ id }) => id),
      );
      return all.every(({ id }) => again.has(id));
    });
    const refused = await run('audit', 'export', 'rewind', 'files', '--to', '0');
    assert.equal(refused.code, 1);
    assert.match(refused.said, /move it away first: \d{20}-/);
    assert.equal((await run('audit', 'export', 'rewind', 'nobody', '--to', '0')).code, 2);
    assert.equal((await run('audit', 'export', 'rewind', 'hook', '--to', '99999999')).code, 2);
  });

  test('is looked at by the doctor', async () => {
    await siem.die();
    const { said } = await run('doctor');
    await siem.comeBack();
    assert.match(said, /^ok +export files +\S+ can be written to$/m);
    assert.match(said, /^ok +export hook +127\.0\.0\.1 takes connections$/m);
    assert.match(said, /^fail +export siem +connect ECONNREFUSED/m);
  });
});
