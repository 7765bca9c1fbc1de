import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ConfigError, configFrom, environmentOf } from '../../infra/config/config.ts';

const directory = mkdtempSync(join(tmpdir(), 'daguerre-stores-'));
after(() => rmSync(directory, { recursive: true }));

const read = (yaml: string) => {
  const path = join(directory, 'daguerre.yaml');
  writeFileSync(path, yaml);
  return configFrom(['--config', path, '--data-dir', '/data'], {});
};

function problems(yaml: string): string {
  try {
    read(yaml);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

const several = `
stores:
  - { id: fast, type: file, weight: 10, dir: /fast, description: "on SSD" }
  - { id: file, type: file }
  - { id: cheap, type: file }
  - { id: web, type: http, allowed-hosts: [Mirror.example.org], allowed-ports: 8080 }
default-store: cheap
`;

describe('stores', () => {
  test('are one of files in the data directory where nothing is said', () => {
    const { stores, 'default-store': usual } = read('');
    assert.deepEqual(stores, [
      { id: 'file', type: 'file', description: '', weight: 0, dir: '/data/store' },
    ]);
    assert.equal(usual, 'file');
    assert.deepEqual(read('store-dir: /elsewhere').stores[0], { ...stores[0], dir: '/elsewhere' });
  });

  test('are read from the file, each with its own directory', () => {
    const { stores, 'default-store': usual } = read(several);
    assert.equal(usual, 'cheap');
    assert.deepEqual(
      stores.map((store) => [store.id, store.type === 'file' ? store.dir : store['allowed-hosts']]),
      [
        ['fast', '/fast'],
        ['file', '/data/store'],
        ['cheap', '/data/stores/cheap'],
        ['web', ['mirror.example.org']],
      ],
    );
    assert.deepEqual([stores[0]?.weight, stores[0]?.description], [10, 'on SSD']);
  });

  test('begin with the default one, if it can be written', () => {
    const yaml = 'stores: [{ id: web, type: http }, { id: a, type: file }, { id: b, type: file }]';
    assert.equal(read(yaml)['default-store'], 'a');
  });

  test('reach a child process as they are', () => {
    const config = read(several);
    const child = configFrom([], environmentOf(config));
    assert.deepEqual(child.stores, config.stores);
    assert.equal(child['default-store'], 'cheap');
  });

  const wrong: Readonly<Record<string, readonly [string, RegExp]>> = {
    'no list': ['stores: fast', /stores in .*: must be a list of stores/],
    'an empty list': ['stores: []', /must name one store at least/],
    'no type': ['stores: [{ id: a }]', /entry 1: type must be file or http/],
    'an unknown type': ['stores: [{ id: a, type: tape }]', /entry 1: type must be file or http/],
    'two stores of one id': [
      'stores: [{ id: a, type: file }, { id: a, type: http }]',
      /two stores have the id a/,
    ],
    'two stores in one directory': [
      'stores: [{ id: a, type: file, dir: /x }, { id: b, type: file, dir: /x/ }]',
      /two stores have the directory \/x/,
    ],
    'a reserved id': ['stores: [{ id: os_glance_staging, type: file }]', /os_glance_ are reserved/],
    'an id with a slash': ['stores: [{ id: a/b, type: file }]', /id must be a name/],
    'a key that is none': [
      'stores: [{ id: a, type: file }, { id: b, type: file, colour: red }]',
      /entry 2: there is no colour of a store of this type/,
    ],
    'a key of the other type': [
      'stores: [{ id: a, type: file }, { id: b, type: http, dir: /x }]',
      /entry 2: there is no dir of a store of this type/,
    ],
    'a weight that is no number': [
      'stores: [{ id: a, type: file, weight: heavy }]',
      /weight must be/,
    ],
    'a network that is none': [
      'stores: [{ id: a, type: file }, { id: b, type: http, allowed-cidrs: [10.0.0.0/33] }]',
      /entry 2: must be networks/,
    ],
    'a default that is missing': [
      'stores: [{ id: a, type: file }]\ndefault-store: b',
      /--default-store b: there is no such store, but a/,
    ],
    'a default that is read-only': [
      'stores: [{ id: a, type: file }, { id: w, type: http }]\ndefault-store: w',
      /--default-store w: it is read-only/,
    ],
    'nothing that can be written': ['stores: [{ id: w, type: http }]', /must be of type file/],
  };
  for (const [what, [yaml, message]] of Object.entries(wrong))
    test(`with ${what} are refused by name`, () => assert.match(problems(yaml), message));

  test('are no flag', () => {
    assert.throws(() => configFrom(['--stores', '[]'], {}), /--stores: there is no such setting/);
  });
});

describe('where imports may go', () => {
  test('is any public address on ports 80 and 443 where nothing is said', () => {
    const config = configFrom([], {});
    assert.deepEqual(config['import-allowed-ports'], [80, 443]);
    for (const name of ['import-allowed-hosts', 'import-allowed-cidrs'] as const)
      assert.deepEqual(config[name], []);
  });

  test('is told as lists', () => {
    const config = configFrom(['--import-allowed-hosts', 'A.example, b.example'], {
      DAGUERRE_IMPORT_ALLOWED_PORTS: '80,8080',
      DAGUERRE_IMPORT_DISALLOWED_CIDRS: '10.0.0.0/8,fd00::/8',
    });
    assert.deepEqual(config['import-allowed-hosts'], ['a.example', 'b.example']);
    assert.deepEqual(config['import-allowed-ports'], [80, 8080]);
    assert.deepEqual(config['import-disallowed-cidrs'], ['10.0.0.0/8', 'fd00::/8']);
    assert.deepEqual(configFrom([], environmentOf(config)), config);
  });

  test('cannot be nonsense', () => {
    assert.throws(() => configFrom(['--import-allowed-ports', '0'], {}), /must be ports/);
    assert.throws(() => configFrom(['--import-allowed-cidrs', '10.0.0.1'], {}), /must be networks/);
    assert.throws(
      () => configFrom(['--import-allowed-hosts', 'http://x'], {}),
      /must be host names/,
    );
  });
});
