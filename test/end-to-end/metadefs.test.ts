import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { requirePackage } from '../support/packages.ts';
import { showLogOfFailures } from './failures.ts';

/** Where Debian keeps what it copies to /etc/glance/metadefs, which only Glance's own user can read. */
const stock = '/usr/share/glance-common/metadefs';
const main = fileURLToPath(new URL('../../apps/cli/main.js', import.meta.url));

let directory: string;
let dataDir: string;
let daguerre: Daguerre;

before(async () => {
  requirePackage('glance-common');
  directory = await mkdtemp(join(tmpdir(), 'metadefs-'));
  dataDir = join(directory, 'data');
  daguerre = await startDaguerre({ dataDir });
});

after(async () => {
  await daguerre?.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Said {
  readonly code: number;
  readonly all: string;
}

const cli = (...args: readonly string[]): Promise<Said> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args, '--data-dir', dataDir], (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), all: out + err });
    });
  });
const run = (...args: readonly string[]): Promise<Said> => cli('metadefs', ...args);

async function metadefs(...args: readonly string[]): Promise<string> {
  const { code, all } = await run(...args);
  assert.equal(code, 0, all);
  return all.trim();
}

type Document = Readonly<Record<string, unknown>>;

async function filesIn(path: string): Promise<Readonly<Record<string, Document>>> {
  const documents: Record<string, Document> = {};
  for (const name of await readdir(path)) {
    if (!name.endsWith('.json')) continue;
    const document = JSON.parse(await readFile(join(path, name), 'utf8')) as Document;
    documents[String(document.namespace)] = document;
  }
  return documents;
}

const get = async (path: string): Promise<Document> =>
  (await (await fetch(`${daguerre.url}/v2/metadefs/${path}`)).json()) as Document;

/** Every namespace as clients see it, without what is of the moment. */
async function shown(): Promise<readonly Document[]> {
  const { namespaces } = await get('namespaces?limit=1000&sort_key=namespace&sort_dir=asc');
  const names = (namespaces as readonly Document[]).map(({ namespace }) => String(namespace));
  const all = await Promise.all(names.map((name) => get(`namespaces/${encodeURIComponent(name)}`)));
  return JSON.parse(
    JSON.stringify(all, (key, value) => (/^(created|updated)_at$/.test(key) ? undefined : value)),
  ) as readonly Document[];
}

describe('the stock catalogue', () => {
  showLogOfFailures(() => daguerre);

  test('comes in whole, goes out, and comes in again the same', async () => {
    const given = await filesIn(stock);
    const count = Object.keys(given).length;
    assert.ok(count > 30, `${stock} holds ${count} namespaces`);
    assert.match(await metadefs('load', stock), new RegExp(`^${count} namespaces added`));
    const loaded = await shown();
    assert.equal(loaded.length, count);
    for (const { namespace, properties, display_name } of loaded) {
      const file = given[String(namespace)];
      assert.deepEqual(properties ?? {}, file?.properties ?? {});
      assert.equal(display_name, file?.display_name);
    }

    const first = join(directory, 'first');
    assert.match(await metadefs('export', first), new RegExp(`^${count} namespaces written`));
    assert.match(await metadefs('unload'), new RegExp(`^${count} namespaces unloaded`));
    assert.deepEqual(await shown(), []);
    assert.deepEqual((await get('resource_types')).resource_types, []);
    await metadefs('load', first);
    assert.deepEqual(await shown(), loaded);
    const second = join(directory, 'second');
    await metadefs('export', second);
    assert.deepEqual(await filesIn(second), await filesIn(first));
  });

  test('loaded again in any mode it changes nothing', async () => {
    for (const mode of [[], ['--merge'], ['--merge', '--prefer-new'], ['--overwrite']])
      assert.match(await metadefs('load', stock, ...mode), /^0 namespaces added, 0 changed/);
  });

  test('each mode meets what is there in its own way', async () => {
    const field = (title: string) => ({ title, type: 'string' });
    const old = { both: field('old'), 'only old': field('old') };
    const fresh = { both: field('new'), 'only new': field('new') };
    await mkdir(join(directory, 'modes'));
    const file = (name: string) => join(directory, 'modes', `${name}.json`);
    const write = (name: string, document: object) =>
      writeFile(file(name), JSON.stringify(document));
    await write('old', {
      namespace: 'N',
      display_name: 'Old',
      properties: old,
      tags: [{ name: 'a' }],
    });
    await write('new', { namespace: 'N', display_name: 'New', properties: fresh });
    for (const [mode, title, properties, tags] of [
      [[], 'Old', old, ['a']],
      [['--merge'], 'Old', { ...fresh, ...old }, ['a']],
      [['--prefer-new'], 'New', { ...old, ...fresh }, ['a']],
      [['--overwrite'], 'New', fresh, []],
    ] as const) {
      await metadefs('load', file('old'), '--overwrite');
      await metadefs('load', file('new'), ...mode);
      const namespace = await get('namespaces/N');
      assert.equal(namespace.display_name, title, mode.join());
      assert.equal(namespace.owner, 'admin');
      assert.deepEqual(namespace.properties, properties, mode.join());
      const names = ((namespace.tags ?? []) as readonly Document[]).map(({ name }) => name);
      assert.deepEqual(names, tags, mode.join());
    }
    assert.equal(await metadefs('unload', file('new')), '1 namespaces unloaded');
    assert.equal((await fetch(`${daguerre.url}/v2/metadefs/namespaces/N`)).status, 404);
  });

  test('it goes without a running service too, and the service finds it', async () => {
    const before = await shown();
    await daguerre.stop();
    const count = before.length;
    assert.equal(await metadefs('unload'), `${count} namespaces unloaded`);
    assert.match(await metadefs('load', stock), new RegExp(`^${count} namespaces added`));
    assert.match(await metadefs('export', join(directory, 'third')), /written/);
    assert.deepEqual(
      await filesIn(join(directory, 'third')),
      await filesIn(join(directory, 'second')),
    );
    daguerre = await startDaguerre({ dataDir });
    assert.deepEqual(await shown(), before);
  });

  test('what it cannot take is refused by name', async () => {
    const bad = join(directory, 'bad.json');
    for (const [text, saying] of [
      ['{', /bad\.json: /],
      ['[]', /bad\.json: .*no JSON object/],
      ['{}', /bad\.json: namespace must have a name/],
      ['{"namespace": "x", "visibility": "shared"}', /"shared", not "public"/],
      [`{"namespace": "${'x'.repeat(81)}"}`, /longer than 80/],
      ['{"namespace": "x", "objects": [{"name": "a\\u0000"}]}', /bad\.json: .*without NUL/],
      ['{"namespace": "x", "properties": {"y": {"maximum": 1e17}}}', /bad\.json: .*exactly/],
      [`${'['.repeat(9999)}${']'.repeat(9999)}`, /bad\.json: .*nested deeper/],
      ['{"namespace": "x", "objects": [{}]}', /objects\[0\]\.name must have a name/],
      ['{"namespace": "x", "tags": [{"name": "y"}, {"name": "y"}]}', /already exists/],
    ] as const) {
      await writeFile(bad, text);
      const { code, all } = await run('load', bad);
      assert.equal(code, 1);
      assert.match(all, saying);
    }
    for (const args of [[], ['load'], ['explode'], ['load', bad, '--prefer-new', '--overwrite']])
      assert.equal((await run(...args)).code, 2);
    assert.match((await run('load', join(directory, 'nowhere'))).all, /nowhere/);
  });

  test('its read model is shown, and made again, apart from the others', async () => {
    const status = JSON.parse((await cli('status', '--json')).all) as {
      readonly head: string;
      readonly readModel: { readonly lag: string };
      readonly readModels: readonly { readonly model: string; readonly position: string }[];
    };
    const models = status.readModels.map(({ model }) => model);
    assert.deepEqual(models.slice(0, 2), ['images', 'metadefs']);
    assert.equal(status.readModel.lag, '0');
    assert.deepEqual(
      status.readModels.filter(({ position }) => position !== status.head),
      [],
    );
    const before = await shown();
    const rebuilt = await cli('rebuild', 'metadefs');
    assert.match(rebuilt.all, /^metadefs: rebuilt from \d+ events/m);
    assert.doesNotMatch(rebuilt.all, /images/);
    assert.deepEqual(await shown(), before);
    const unknown = await cli('rebuild', 'metadefs', 'colours');
    assert.equal(unknown.code, 2);
    assert.match(unknown.all, /there is no read model colours; there are: images, metadefs/);
  });
});
