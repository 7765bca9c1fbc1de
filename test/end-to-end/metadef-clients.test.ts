import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clientsWith, succeeded, tableOf } from '../support/clients.ts';
import { type Daguerre, startDaguerre } from '../support/daguerre.ts';
import { type Keystone, startKeystone } from '../support/keystone.ts';
import { showLogOfFailures } from './failures.ts';

let directory: string;
let keystone: Keystone;
let daguerre: Daguerre;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'metadef-clients-'));
  keystone = await startKeystone();
  const { account } = keystone;
  daguerre = await startDaguerre({
    env: {
      DAGUERRE_IDENTITY: 'keystone',
      DAGUERRE_KEYSTONE_AUTH_URL: account.authUrl,
      DAGUERRE_KEYSTONE_USERNAME: account.username,
      DAGUERRE_KEYSTONE_PASSWORD: account.password,
      DAGUERRE_KEYSTONE_PROJECT_NAME: account.projectName,
    },
  });
  await keystone.setImageUrl(daguerre.url);
});

after(async () => {
  await daguerre?.stop();
  await keystone?.stop();
  await rm(directory, { recursive: true, force: true });
});

const namespace = 'OS::Test::Größe & more';
const imported = {
  namespace: 'imported',
  display_name: 'Imported',
  properties: { height: { title: 'Height', type: 'integer', minimum: 1 } },
  objects: [{ name: 'box', properties: { width: { title: 'Width', type: 'integer' } } }],
  tags: [{ name: 'first' }],
  resource_type_associations: [{ name: 'OS::Nova::Flavor' }],
};

/** glance by who calls, noting which subcommands it was asked. */
function glanceAs(asked: Set<string>) {
  const clients = new Map<string, ReturnType<typeof clientsWith>>();
  const of = (user: string) => {
    const known = clients.get(user) ?? clientsWith(keystone.environment(user, user));
    clients.set(user, known);
    return known.glance;
  };
  return (user: string) => {
    const said = (...args: readonly string[]) => {
      asked.add(args[0] ?? '');
      return of(user)(...args);
    };
    return { said, ok: (...args: readonly string[]) => succeeded(said(...args)) };
  };
}

describe('metadata definitions with the stock client and a real Keystone', () => {
  showLogOfFailures(() => daguerre);
  const asked = new Set<string>();
  const as = glanceAs(asked);

  test('namespaces', async () => {
    const admin = as('admin');
    const created = tableOf(
      await admin.ok(
        ...['md-namespace-create', '--display-name', 'Größe', '--visibility', 'public'],
        ...['--protected', 'False', namespace],
      ),
    );
    assert.equal(created.namespace, namespace);
    assert.equal(created.owner, await keystone.api.idOf('project', 'admin'));
    const updated = tableOf(
      await admin.ok('md-namespace-update', '--description', 'How large', namespace),
    );
    assert.equal(updated.description, 'How large');

    const file = join(directory, 'imported.json');
    await writeFile(file, JSON.stringify(imported));
    await admin.ok('md-namespace-import', '--file', file);
    const shown = tableOf(await as('admin').ok('md-namespace-show', 'imported'));
    assert.match(shown.properties ?? '', /height/);
    assert.match(shown.objects ?? '', /box/);
    assert.match(shown.tags ?? '', /first/);

    const listed = await admin.ok('md-namespace-list', '--page-size', '1');
    for (const name of [namespace, 'imported']) assert.ok(listed.includes(name), listed);
    const seen = await as('demo').ok('md-namespace-list');
    assert.ok(seen.includes(namespace));
    assert.doesNotMatch(seen, /imported/);
    assert.match((await as('demo').said('md-namespace-show', 'imported')).all, /404|not found/i);
    const refused = await as('demo').said('md-namespace-delete', namespace);
    assert.notEqual(refused.code, 0);
    assert.match(refused.all, /403|not authorized|Forbidden/i);
  });

  test('resource types', async () => {
    const admin = as('admin');
    await admin.ok(
      ...['md-resource-type-associate', '--name', 'OS::Glance::Image', '--prefix', 'hw_'],
      namespace,
    );
    assert.match(
      await admin.ok('md-namespace-resource-type-list', namespace),
      /OS::Glance::Image.*hw_/,
    );
    assert.match(await as('demo').ok('md-resource-type-list'), /OS::Nova::Flavor/);
    assert.match(
      await admin.ok('md-namespace-list', '--resource-types', 'OS::Nova::Flavor'),
      /imported/,
    );
    await admin.ok('md-resource-type-deassociate', 'imported', 'OS::Nova::Flavor');
    assert.doesNotMatch(
      await admin.ok('md-namespace-resource-type-list', 'imported'),
      /OS::Nova::Flavor/,
    );
  });

  test('properties', async () => {
    const admin = as('admin');
    const schema = JSON.stringify({ type: 'string', enum: ['small', 'large'] });
    await admin.ok(
      ...['md-property-create', '--name', 'a size', '--title', 'Size', '--schema', schema],
      namespace,
    );
    assert.equal(tableOf(await admin.ok('md-property-show', namespace, 'a size')).title, 'Size');
    const wider = JSON.stringify({ type: 'string', enum: ['small', 'large', 'huge'] });
    const updated = await admin.ok(
      ...['md-property-update', '--name', 'size', '--title', 'The size', '--schema', wider],
      ...[namespace, 'a size'],
    );
    assert.match(updated, /huge/);
    assert.match(await as('demo').ok('md-property-list', namespace), /size/);
    await admin.ok('md-property-delete', namespace, 'size');
    assert.match((await admin.said('md-property-show', namespace, 'size')).all, /404|not found/i);
    await admin.ok('md-namespace-properties-delete', 'imported');
    assert.doesNotMatch(await admin.ok('md-property-list', 'imported'), /height/);
  });

  test('objects', async () => {
    const admin = as('admin');
    const schema = JSON.stringify({
      description: 'What it is in',
      properties: { depth: { title: 'Depth', type: 'integer' } },
    });
    await admin.ok('md-object-create', '--name', 'crate', '--schema', schema, namespace);
    assert.match(await admin.ok('md-object-show', namespace, 'crate'), /depth/);
    assert.match(await admin.ok('md-object-property-show', namespace, 'crate', 'depth'), /Depth/);
    assert.match(await as('demo').ok('md-object-list', namespace), /crate/);
    await admin.ok('md-object-update', '--name', 'chest', namespace, 'crate');
    assert.match(await admin.ok('md-object-show', namespace, 'chest'), /depth/);
    await admin.ok('md-object-delete', namespace, 'chest');
    assert.doesNotMatch(await admin.ok('md-object-list', namespace), /chest/);
    await admin.ok('md-namespace-objects-delete', 'imported');
    assert.doesNotMatch(await admin.ok('md-object-list', 'imported'), /box/);
  });

  test('tags', async () => {
    const admin = as('admin');
    await admin.ok('md-tag-create', '--name', 'heavy', namespace);
    assert.match(await as('demo').ok('md-tag-list', namespace), /heavy/);
    await admin.ok('md-tag-create-multiple', '--names', 'flat,round', namespace);
    assert.doesNotMatch(await admin.ok('md-tag-list', namespace), /heavy/);
    await admin.ok('md-tag-update', '--name', 'square', namespace, 'round');
    assert.match(await admin.ok('md-tag-show', namespace, 'square'), /square/);
    await admin.ok('md-tag-delete', namespace, 'square');
    assert.doesNotMatch(await admin.ok('md-tag-list', namespace), /square/);
    await admin.ok('md-namespace-tags-delete', 'imported');
    assert.doesNotMatch(await admin.ok('md-tag-list', 'imported'), /first/);
  });

  test('every md-* subcommand was asked', async () => {
    const admin = as('admin');
    for (const name of [namespace, 'imported']) await admin.ok('md-namespace-delete', name);
    assert.doesNotMatch(await admin.ok('md-namespace-list'), /imported/);
    const help = await admin.ok('help');
    const all = new Set(help.match(/^ {4}md-[a-z-]+/gm)?.map((line) => line.trim()));
    assert.ok(all.size >= 30);
    assert.deepEqual(
      [...all].filter((name) => !asked.has(name)),
      [],
    );
  });
});
