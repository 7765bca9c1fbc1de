import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { configFrom } from '../../infra/config/config.ts';
import { requirePackage } from '../support/packages.ts';
import { built, deploy } from './files.ts';

/** Of 10, which is a service without any restraint. */
const mostExposure = 2;
const node = '/usr/bin/node --enable-source-maps /opt/daguerre/dist/';

describe('the systemd units', () => {
  let directory: string;
  let units: readonly string[];
  before(async () => {
    requirePackage('systemd');
    directory = await mkdtemp(join(tmpdir(), 'daguerre-units-'));
    await cp(join(deploy, 'systemd'), directory, { recursive: true });
    const files = (await readdir(directory)).filter((name) => /\.(service|target)$/.test(name));
    // Where node is differs from machine to machine, and a unit's program must be there.
    for (const file of files)
      await writeFile(
        join(directory, file),
        (await unit(file)).replaceAll(node, `${process.execPath} --enable-source-maps ${built}/`),
      );
    units = files.map((name) => name.replace('@.', '@1.'));
  });
  after(() => rm(directory, { recursive: true }));

  const unit = (file: string): Promise<string> => readFile(join(directory, file), 'utf8');

  async function analyzed(...args: readonly string[]): Promise<string> {
    const env = { PATH: '/usr/bin:/bin', SYSTEMD_UNIT_PATH: `${directory}:`, LC_ALL: 'C' };
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', args, { env });
    return `${stdout}${stderr}`;
  }
  const ours = (said: string): readonly string[] =>
    said.split('\n').filter((line) => line.includes('daguerre'));

  test('are what systemd-analyze verify has nothing to say against', async () => {
    assert.ok(units.length >= 7, units.join());
    assert.deepEqual(ours(await analyzed('verify', ...units)), []);
  });

  test('would be complained of if they were not', async () => {
    await writeFile(join(directory, 'daguerre-wrong.service'), '[Service]\nExecStrat=/bin/true\n');
    const said = ours(await analyzed('verify', 'daguerre-wrong.service').catch(String));
    await rm(join(directory, 'daguerre-wrong.service'));
    assert.match(said.join(), /Unknown key.*ExecStrat/);
  });

  test('leave their services little room', async () => {
    for (const name of units.filter((one) => one.endsWith('.service'))) {
      const said = await analyzed('security', '--offline=true', name);
      const [, exposure] = /exposure level for \S+: ([\d.]+)/.exec(said) ?? [];
      assert.ok(Number(exposure) <= mostExposure, `${name}: ${exposure}`);
    }
  });

  test('call programs that there are, with flags that there are', async () => {
    for (const name of units.filter((one) => one.endsWith('.service'))) {
      const text = await unit(name.replace('@1.', '@.'));
      const [, command = ''] = /^ExecStart=(.*)$/m.exec(text) ?? [];
      const [, , main = '', ...args] = command.replaceAll('%i', '1').split(' ');
      assert.ok(main.startsWith(built) && existsSync(main), `${name}: ${main}`);
      const flags = args
        .filter((arg) => arg !== 'migrate')
        .map((arg) => arg.replace('/etc/daguerre/daguerre.yaml', join(deploy, 'daguerre.yaml')));
      configFrom(flags, secrets);
    }
  });

  test('belong to the target, which starts each of them that is enabled', async () => {
    for (const name of ['gateway@', 'worker@', 'projector', 'relay']) {
      const text = await unit(`daguerre-${name}.service`);
      assert.match(text, /^PartOf=daguerre\.target$/m);
      assert.match(text, /^WantedBy=daguerre\.target$/m);
      assert.match(text, /^Requires=daguerre-migrate\.service$/m);
    }
  });
});

test('the example of a configuration is one', () => {
  const config = configFrom(['--config', join(deploy, 'daguerre.yaml')], secrets);
  assert.equal(config['staging-dir'], '/srv/daguerre/staging');
});

const secrets = { DAGUERRE_KEYSTONE_PASSWORD: 'secret', HOME: '/root' };
