import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { houseRulesFrom } from '../../apps/gateway/house-rules.ts';
import { standalone } from '../../apps/standalone/standalone.ts';
import { configFrom } from '../../infra/config/config.ts';
import { type GatewayOptions, startGateway, type TestGateway } from '../support/gateway.ts';

const directory = mkdtempSync(join(tmpdir(), 'daguerre-house-rules-'));
after(() => rmSync(directory, { recursive: true }));

const fileOf = (document: unknown): string => {
  const path = join(mkdtempSync(join(directory, 'file-')), 'schema-image.json');
  writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document));
  return path;
};

/** A gateway as these flags make it. */
const started = (t: TestContext, ...flags: readonly string[]): Promise<TestGateway> => {
  const options: GatewayOptions = {
    change: (ports) => ({ ...ports, ...houseRulesFrom(configFrom(flags, {})) }),
  };
  return startGateway(t, options);
};

const withSchema = (t: TestContext, document: unknown): Promise<TestGateway> =>
  started(t, '--schema-image-file', fileOf(document));

const add = (name: string, value: unknown) => ({ op: 'add', path: `/${name}`, value });

describe('an operator’s limits', () => {
  test('hold on properties, tags and members: one more is 413', async (t) => {
    const gateway = await started(
      t,
      '--image-property-quota=2',
      '--image-tag-quota=1',
      '--image-member-quota=1',
    );
    const create = async (document: object) =>
      (await gateway.send('POST', '/v2/images', document)).status;
    assert.equal(await create({ a: '1', b: '1' }), 201);
    assert.equal(await create({ a: '1', b: '1', c: '1' }), 413);
    assert.equal(await create({ tags: ['a', 'b'] }), 413);
    const path = `/v2/images/${await gateway.create({ a: '1', b: '1', tags: ['x'] })}`;
    assert.equal((await gateway.patch(path, [add('c', '1')])).status, 413);
    assert.equal((await gateway.ask(`${path}/tags/y`, { method: 'PUT' })).status, 413);
    const share = async (member: string) =>
      (await gateway.send('POST', `${path}/members`, { member })).status;
    assert.deepEqual([await share('one'), await share('two')], [200, 413]);
  });

  test('of 0 allow none, and of -1 any number', async (t) => {
    const none = await started(t, '--image-property-quota=0', '--image-tag-quota=0');
    assert.equal((await none.send('POST', '/v2/images', { a: '1' })).status, 413);
    assert.equal((await none.send('POST', '/v2/images', { tags: ['a'] })).status, 413);
    const any = await started(t, '--image-property-quota=-1', '--image-tag-quota=-1');
    const names = Array.from({ length: 200 }, (_, index) => `n${index}`);
    const properties = Object.fromEntries(names.map((name) => [name, '']));
    await any.create({ ...properties, tags: names });
  });

  test('hold on pages', async (t) => {
    const gateway = await started(t, '--limit-param-default=2', '--api-limit-max=3');
    for (const name of ['a', 'b', 'c', 'd']) await gateway.create({ name });
    const page = async (query: string) => {
      const { images, next } = (await gateway.ask(`/v2/images${query}`)).json();
      return [(images as object[]).length, next !== undefined];
    };
    assert.deepEqual(await page(''), [2, true]);
    assert.deepEqual(await page('?limit=4'), [3, true]);
    assert.deepEqual(await page('?limit=1'), [1, true]);
    assert.deepEqual(await page('?limit=0'), [0, false]);
  });
});

describe('an operator’s formats', () => {
  test('are what the schema names and what images can have', async (t) => {
    const gateway = await started(t, '--disk-formats=raw, luks', '--container-formats=bare');
    const create = async (document: object) =>
      (await gateway.send('POST', '/v2/images', document)).status;
    assert.equal(await create({ disk_format: 'luks', container_format: 'bare' }), 201);
    assert.equal(await create({ disk_format: null, container_format: null }), 201);
    assert.equal(await create({ disk_format: 'qcow2' }), 400);
    assert.equal(await create({ container_format: 'ova' }), 400);
    const { properties } = (await gateway.ask('/v2/schemas/image')).json() as {
      properties: Record<string, { enum: unknown[] }>;
    };
    assert.deepEqual(properties.disk_format?.enum, [null, 'raw', 'luks']);
    assert.deepEqual(properties.container_format?.enum, [null, 'bare']);
  });
});

const typed = {
  cores: { type: 'integer', minimum: 1, maximum: 64 },
  ratio: { type: ['null', 'number'], exclusiveMinimum: 0 },
  signed: { type: 'boolean', description: 'Whether we vouch for it' },
  roles: { type: 'array', items: { type: 'string', enum: ['web', 'db'] }, uniqueItems: true },
  origin: {
    type: 'object',
    properties: { site: { type: 'string', minLength: 2 } },
    required: ['site'],
    additionalProperties: false,
  },
  code: { pattern: '^[A-Z]{2}\\d+$', maxLength: 6 },
};
const values = {
  cores: 4,
  ratio: 0.5,
  signed: true,
  roles: ['web'],
  origin: { site: 'ber' },
  code: 'AB12',
};

describe('an operator’s property schema', () => {
  test('takes the place of the one that comes with the service, as no base fields', async (t) => {
    const gateway = await withSchema(t, typed);
    const { properties, required } = (await gateway.ask('/v2/schemas/image')).json() as {
      properties: Record<string, Record<string, unknown>>;
      required?: unknown;
    };
    assert.deepEqual(properties.cores, { ...typed.cores, is_base: false });
    assert.equal(properties.signed?.is_base, false);
    assert.equal(properties.kernel_id, undefined);
    assert.equal(properties.name?.is_base, undefined);
    assert.equal(required, undefined);
    assert.equal((await gateway.send('POST', '/v2/images', { kernel_id: 'any' })).status, 201);
  });

  test('gives values types, which every answer shows', async (t) => {
    const gateway = await withSchema(t, typed);
    const created = (await gateway.send('POST', '/v2/images', { ...values, other: 'text' })).json();
    const path = `/v2/images/${created.id}`;
    const shown = (await gateway.ask(path)).json();
    const [listed] = (await gateway.ask('/v2/images')).json().images as Record<string, unknown>[];
    for (const document of [created, shown, listed])
      for (const [name, value] of Object.entries({ ...values, other: 'text' }))
        assert.deepEqual(document?.[name], value, name);
    const patched = await gateway.patch(path, [add('cores', 8), add('ratio', null)]);
    assert.deepEqual([patched.json().cores, patched.json().ratio], [8, null]);
  });

  test('lets images be found by the text of a value', async (t) => {
    const gateway = await withSchema(t, typed);
    const id = await gateway.create(values);
    for (const query of ['cores=4', 'signed=true', 'code=AB12', 'roles=%5B%22web%22%5D'])
      assert.deepEqual(
        ((await gateway.ask(`/v2/images?${query}`)).json().images as { id: string }[]).map(
          (image) => image.id,
        ),
        [id],
        query,
      );
  });

  const wrong: readonly (readonly [string, unknown])[] = [
    ['cores', '4'],
    ['cores', 0],
    ['cores', 65],
    ['cores', 1.5],
    ['cores', true],
    ['cores', null],
    ['ratio', 0],
    ['ratio', '0.5'],
    ['signed', 'true'],
    ['signed', 1],
    ['roles', 'web'],
    ['roles', ['cache']],
    ['roles', ['web', 'web']],
    ['origin', {}],
    ['origin', { site: 'x' }],
    ['origin', { site: 'ber', room: '1' }],
    ['code', 'ab12'],
    ['code', 'AB12345'],
    ['code', 12],
    ['undeclared', 12],
  ];
  test('is kept by every creation and every patch: 400', async (t) => {
    const gateway = await withSchema(t, typed);
    const path = `/v2/images/${await gateway.create(values)}`;
    for (const [name, value] of wrong) {
      const created = await gateway.send('POST', '/v2/images', { [name]: value });
      assert.equal(created.status, 400, JSON.stringify({ [name]: value }));
      const patched = await gateway.patch(path, [add(name, value)]);
      assert.equal(patched.status, 400, JSON.stringify({ [name]: value }));
      assert.match(patched.text, /does not match schema/);
    }
    assert.equal((await gateway.ask(path)).json().cores, 4);
  });

  test('names what a new image must be given, in the extended form', async (t) => {
    const gateway = await withSchema(t, { properties: typed, required: ['code', 'name'] });
    const create = (document: object) => gateway.send('POST', '/v2/images', document);
    assert.deepEqual((await gateway.ask('/v2/schemas/image')).json().required, ['code', 'name']);
    const refused = await create({ code: 'AB1' });
    assert.equal(refused.status, 400);
    assert.match(refused.text, /name.* is a required property/);
    assert.equal((await create({ name: 'x' })).status, 400);
    const created = await create({ code: 'AB1', name: 'x' });
    assert.equal(created.status, 201);
    const patched = await gateway.patch(`/v2/images/${created.json().id}`, [add('cores', 2)]);
    assert.equal(patched.status, 200);
  });

  test('shows values that are older than it as the text that they are', async (t) => {
    const { ports, create } = await startGateway(t);
    const id = await create({ cores: 'many', ratio: '', signed: 'true' });
    const rules = houseRulesFrom(configFrom(['--schema-image-file', fileOf(typed)], {}));
    const after = await startGateway(t, {
      change: (fresh) => ({ ...fresh, ...rules, log: ports.log, images: ports.images }),
    });
    const shown = (await after.ask(`/v2/images/${id}`)).json();
    assert.deepEqual([shown.cores, shown.ratio, shown.signed], ['many', null, true]);
  });

  test('tells of stores where there are several, of clients that log in', async (t) => {
    const plain = configFrom([], {});
    const store = { type: 'file', description: '', weight: 0 } as const;
    const stores = ['a', 'b'].map((id) => ({ ...store, id, dir: `/${id}` }));
    const told = async (config: typeof plain): Promise<boolean> => {
      const gateway = await startGateway(t, {
        change: (ports) => ({ ...ports, ...houseRulesFrom(config) }),
      });
      const { properties } = (await gateway.ask('/v2/schemas/image')).json();
      return 'stores' in (properties as object);
    };
    assert.equal(await told({ ...plain, stores, identity: 'keystone' }), true);
    assert.equal(await told({ ...plain, stores }), false);
    assert.equal(await told({ ...plain, identity: 'keystone' }), false);
  });

  test('bounds how deep a value can be nested', async (t) => {
    const gateway = await withSchema(t, { tree: { type: 'array' } });
    const nested = (depth: number) => `{"tree": ${'['.repeat(depth)}${']'.repeat(depth)}}`;
    const create = async (body: string) =>
      (await gateway.ask('/v2/images', { method: 'POST', body })).status;
    assert.equal(await create(nested(32)), 201);
    for (const depth of [33, 100_000]) assert.equal(await create(nested(depth)), 400);
  });

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    ['no JSON', '{', /--schema-image-file .*schema-image\.json: .*JSON/],
    ['a list', [], /schema-image\.json: the file: /],
    ['an unknown type', { a: { type: 'text' } }, /schema-image\.json: a\.type: /],
    ['a keyword that is not heeded', { a: { oneOf: [] } }, /schema-image\.json: a: .*oneOf/],
    ['one within items', { a: { items: { maxlength: 1 } } }, /a\.items: .*maxlength/],
    ['a pattern that is none', { a: { pattern: '(' } }, /a: pattern has a parenthesis/],
    ['a base field', { name: { type: 'string' } }, /name: is a field of every image already/],
    ['a name of the server', { os_glance_x: {} }, /os_glance_x: is a name that the server keeps/],
    ['a required read-only field', { properties: {}, required: ['size'] }, /required: size cannot/],
    ['required that is no list', { properties: {}, required: 'a' }, /required: /],
  ];
  for (const [what, document, says] of refused)
    test(`with ${what} ends the start with exit code 2, by name`, async (t) => {
      const said = t.mock.method(process.stderr, 'write', () => true);
      const args = ['--data-dir', join(directory, 'data'), '--schema-image-file', fileOf(document)];
      const code = await standalone(args, {});
      said.mock.restore();
      assert.equal(code, 2);
      assert.match(String(said.mock.calls[0]?.arguments[0]), says);
    });
});
