import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Daguerre, runStandalone, startDaguerre } from '../support/daguerre.ts';
import { cliMain, doctor, root } from './doctor.ts';

describe('the doctor, of a whole tree that runs', () => {
  let daguerre: Daguerre;
  let dataDir: readonly string[];
  before(async () => {
    daguerre = await startDaguerre({ args: ['--distributed'] });
    dataDir = ['--data-dir', daguerre.dataDir];
  });
  after(() => daguerre?.stop());

  test('finds nothing wrong, and looks at everything', async () => {
    const { findings } = await doctor(dataDir);
    assert.deepEqual(
      findings.filter(({ verdict }) => verdict === 'fail'),
      [],
    );
    const looked = [...new Set(findings.map(({ of }) => of))].sort();
    assert.deepEqual(looked, [
      ...[
        'configuration',
        'data directory',
        'event log',
        'leases',
        'nats',
        'postgres',
        'processes',
      ],
      ...['read models', 'redis', 'staging', 'store file'],
    ]);
    for (const { says } of findings) assert.ok(!says.includes('\n') && !says.includes('***'), says);
  });

  test('says it in lines, too', async () => {
    const { ended, log } = runStandalone(['doctor', ...dataDir], { main: cliMain });
    assert.equal((await ended).code, 0, log());
    for (const line of log().trimEnd().split('\n')) assert.match(line, /^(ok|warn|fail) +\w/);
  });

  test('appends nothing', async () => {
    const status = async () => {
      const asked = runStandalone(['status', '--json', ...dataDir], { main: cliMain });
      await asked.ended;
      return JSON.parse(asked.log()).head as string;
    };
    const head = await status();
    await doctor(dataDir);
    assert.equal(await status(), head);
  });

  test('finds directories that are not those of the others', async () => {
    const other = join(root, 'other-staging');
    await mkdir(other);
    const { findings } = await doctor([...dataDir, '--staging-dir', other]);
    const failed = findings.filter(({ verdict }) => verdict === 'fail');
    assert.deepEqual(new Set(failed.map(({ of }) => of)), new Set(['staging']));
    assert.ok(failed.every(({ says }) => says.includes(other) && says.includes(daguerre.dataDir)));
    assert.equal(failed.length, 2, 'the gateway and the worker');
  });
});
