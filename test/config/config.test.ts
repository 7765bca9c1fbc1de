import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  ConfigError,
  configFrom,
  type Environment,
  environmentOf,
  settingsHelp,
} from '../../infra/config/config.ts';
import { settings } from '../../infra/config/settings.ts';

const directory = mkdtempSync(join(tmpdir(), 'daguerre-config-'));
after(() => rmSync(directory, { recursive: true }));

const fileOf = (text: string): string => {
  const path = join(mkdtempSync(join(directory, 'file-')), 'daguerre.yaml');
  writeFileSync(path, text);
  return path;
};

/** The lines that the operator reads. */
function problems(args: readonly string[], environment: Environment = {}): readonly string[] {
  try {
    configFrom(args, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('a setting', () => {
  test('is taken from the flag, else the environment, else the file, else its default', () => {
    const config = fileOf('port: 1111\nregion: file\n');
    const read = (args: readonly string[], environment: Environment) => {
      const { port, region, host } = configFrom(args, environment);
      return { port, region, host };
    };
    const environment = { DAGUERRE_PORT: '2222', DAGUERRE_CONFIG: config };
    assert.deepEqual(read(['--port', '3333'], environment), {
      port: 3333,
      region: 'file',
      host: '127.0.0.1',
    });
    assert.equal(read([], environment).port, 2222);
    assert.equal(read(['--config', config], {}).port, 1111);
    assert.equal(read([], {}).port, 9292);
  });

  test('in the file that --config names wins over the file of the environment', () => {
    const [named, other] = [fileOf('port: 1111'), fileOf('port: 2222')];
    assert.equal(configFrom(['--config', named], { DAGUERRE_CONFIG: other }).port, 1111);
  });

  test('that is a switch is on by its bare flag and by each word for yes', () => {
    const name = 'allow-unauthenticated-network';
    assert.equal(configFrom([], {})[name], false);
    assert.equal(configFrom([`--${name}`], {})[name], true);
    for (const [word, on] of [
      ['true', true],
      ['yes', true],
      ['1', true],
      ['false', false],
      ['no', false],
      ['0', false],
    ] as const) {
      assert.equal(configFrom([], { DAGUERRE_ALLOW_UNAUTHENTICATED_NETWORK: word })[name], on);
      assert.equal(configFrom(['--config', fileOf(`${name}: "${word}"`)], {})[name], on);
    }
    assert.equal(configFrom(['--config', fileOf(`${name}: true`)], {})[name], true);
  });

  test('that is none of ours is refused by name, wherever it is written', () => {
    const config = fileOf('prot: 1111\n');
    assert.match(problems(['--prot', '1'])[0] ?? '', /--prot/);
    assert.deepEqual(problems([], { DAGUERRE_PROT: '1' }), [
      'DAGUERRE_PROT: there is no such setting',
    ]);
    assert.deepEqual(problems(['--config', config]), [
      `prot in ${config}: there is no such setting`,
    ]);
    assert.deepEqual(problems(['9292']), ['9292: settings are given as --name value']);
  });

  test("of somebody else's in the environment is none of our business", () => {
    assert.deepEqual(problems([], { PORT: 'x', DAGUERRE_TEST_CRASH_FILE: '/nowhere' }), []);
  });

  test('with a wrong value is refused by how it was written, with the value', () => {
    const config = fileOf('port: 70000\n');
    for (const [args, environment, line] of [
      [['--port', 'http'], {}, /^--port: "http" will not do: ./],
      [[], { DAGUERRE_PORT: '-1' }, /^DAGUERRE_PORT: "-1" will not do: ./],
      [['--config', config], {}, /^port in .*daguerre\.yaml: 70000 will not do: ./],
      [['--port', '80.5'], {}, /^--port.* must be a whole number from 0 to 65535$/],
      [['--port', '70000'], {}, /: must be a whole number from 0 to 65535$/],
      [
        ['--identity', 'ldap'],
        {},
        /^--identity: "ldap" will not do: must be one of none, keystone$/,
      ],
      [['--data-dir', ''], {}, /^--data-dir: "" will not do: must not be empty$/],
      [['--postgres-url', 'mysql://me:se@cret@host/db'], {}, /"mysql:\/\/me:\*\*\*@host\/db"/],
      [[], { DAGUERRE_ALLOW_UNAUTHENTICATED_NETWORK: 'maybe' }, /: must be true or false$/],
      [['--postgres-url', 'mysql://host/db'], {}, /^--postgres-url.*postgres:\/\//],
      [['--default-caller', 'admin'], {}, /^--default-caller.*user:project:role/],
      [['--lease-ms', '0'], {}, /^--lease-ms.* from 100 to 86400000$/],
    ] as const) {
      const lines = problems(args, environment);
      assert.equal(lines.length, 1, lines.join('\n'));
      assert.match(lines[0] ?? '', line);
    }
  });

  test('that is a number is refused when it is empty', () => {
    assert.match(problems([], { DAGUERRE_PORT: '' })[0] ?? '', /^DAGUERRE_PORT: "" will not do/);
    assert.match(problems(['--port='])[0] ?? '', /^--port: "" will not do/);
  });

  test('that is a size has the units of Glance, in powers of 1024', () => {
    const read = (size: string) =>
      configFrom(['--user-storage-quota', size], {})['user-storage-quota'];
    assert.deepEqual(['0', '7', '7B', '2KB', '3MB', '500GB', '1TB'].map(read), [
      0,
      7,
      7,
      2048,
      3 * 1024 ** 2,
      500 * 1024 ** 3,
      1024 ** 4,
    ]);
    for (const size of ['', '1.5GB', '5 GB', '5gb', '-1', '9999999TB', 'GB'])
      assert.match(
        problems([`--user-storage-quota=${size}`])[0] ?? '',
        /must be a size such as 500GB/,
      );
  });

  test('that the file leaves empty has its default', () => {
    assert.equal(configFrom(['--config', fileOf('port:\n')], {}).port, 9292);
  });
});

test('a flag without its value is refused, and takes no other flag for it', () => {
  assert.deepEqual(problems(['--region']), ['--region: needs a value']);
  assert.deepEqual(problems(['--region', '--identity', 'none']), [
    '--region: needs a value',
    'none: settings are given as --name value',
  ]);
  assert.equal(configFrom(['--region=--odd'], {}).region, '--odd');
});

test('every problem is told at once', () => {
  const config = fileOf('lease-ms: soon\nwidth: 3\n');
  const lines = problems(['--port', 'x', '--hots', 'y', '--config', config], {
    DAGUERRE_REGION: '',
    DAGUERRE_COLOUR: 'red',
  });
  for (const name of [
    '--port',
    '--hots',
    'lease-ms',
    'width',
    'DAGUERRE_REGION',
    'DAGUERRE_COLOUR',
  ])
    assert.equal(lines.filter((line) => line.includes(name)).length, 1, `${name}: ${lines}`);
  assert.equal(lines.length, 6);
});

describe('the configuration file', () => {
  test('that is not there, is no YAML or holds no settings is refused by its path', () => {
    const missing = join(directory, 'missing.yaml');
    assert.match(problems(['--config', missing])[0] ?? '', /missing\.yaml.*ENOENT/);
    for (const text of ['[1, 2]', 'port', 'port: [', '7']) {
      const config = fileOf(text);
      const lines = problems(['--config', config]);
      assert.ok(lines[0]?.includes(config), `${text}: ${lines}`);
    }
  });

  test('may be empty', () => {
    assert.deepEqual(problems(['--config', fileOf('')]), []);
    assert.deepEqual(problems(['--config', fileOf('# nothing yet\n')]), []);
  });
});

describe('directories', () => {
  test('lie in the data directory, which follows XDG, else the home directory', () => {
    const home = configFrom([], { HOME: '/home/ada' });
    assert.equal(home['data-dir'], '/home/ada/.local/share/daguerre');
    assert.equal(home['store-dir'], '/home/ada/.local/share/daguerre/store');
    assert.equal(home['staging-dir'], '/home/ada/.local/share/daguerre/staging');
    const xdg = configFrom([], { HOME: '/home/ada', XDG_DATA_HOME: '/srv/share' });
    assert.equal(xdg['data-dir'], '/srv/share/daguerre');
  });

  test('are absolute, and may lie apart', () => {
    const config = configFrom(['--data-dir', 'here', '--staging-dir', '/fast/staging'], {});
    assert.equal(config['data-dir'], join(process.cwd(), 'here'));
    assert.equal(config['store-dir'], join(process.cwd(), 'here', 'store'));
    assert.equal(config['staging-dir'], '/fast/staging');
  });
});

describe('identity none', () => {
  test('listens on every name of this machine for itself', () => {
    for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '::1'])
      assert.equal(configFrom(['--host', host], {}).host, host);
  });

  test('refuses every other address', () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.7', '127.example.org', 'images.example.org']) {
      const lines = problems(['--host', host]);
      assert.ok(lines[0]?.startsWith(`--host ${host}:`), `${host}: ${lines}`);
      assert.match(lines[0] ?? '', /--allow-unauthenticated-network/);
    }
  });

  test('listens beyond when told so', () => {
    const args = ['--host', '0.0.0.0', '--allow-unauthenticated-network'];
    assert.equal(configFrom(args, {}).host, '0.0.0.0');
  });
});

test('a child process is told the same', () => {
  const args = ['--port', '0', '--data-dir', '/d', '--staging-dir', '/s', '--host', '0.0.0.0'];
  const config = configFrom([...args, '--allow-unauthenticated-network'], {});
  assert.deepEqual(configFrom([], environmentOf(config)), config);
});

test('the help names every setting, with its default', () => {
  const lines = settingsHelp().split('\n');
  for (const name of [...Object.keys(settings), 'config'])
    assert.equal(
      lines.filter((line) => [`--${name}`, `${name}:`].includes(line.trim().split(' ')[0] ?? ''))
        .length,
      1,
      name,
    );
  assert.ok(lines.some((line) => /--port PORT .*\[9292\]/.test(line)));
  assert.ok(lines.some((line) => /--data-dir DIR .*XDG_DATA_HOME/.test(line)));
});
