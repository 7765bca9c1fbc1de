import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManifestRefused } from '../../apps/bulk/manifest/problems.ts';
import { type ManifestFormat, readManifest } from '../../apps/bulk/manifest/read.ts';
import { itemsOf, type Surroundings } from '../../apps/bulk/manifest/resolve.ts';
import { usualHouseRules } from '../../apps/gateway/house-rules.ts';
import { member } from '../domain/fixtures.ts';

const surroundings: Surroundings = {
  caller: member,
  schema: usualHouseRules.schema,
  stores: { defaultId: 'file', writable: ['file', 'fast'] },
  admitUrl() {},
};

const read = (text: string, format: ManifestFormat) =>
  itemsOf(readManifest(text, format), surroundings);

const source = 'http://mirror.example.org/debian.qcow2';
const one = {
  name: 'debian',
  source,
  tags: ['a', 'b'],
  properties: { os_distro: 'debian' },
  size: 7,
};

/** The same, in each way to write it. */
const texts: Readonly<Record<ManifestFormat, string>> = {
  json: JSON.stringify({ images: [one] }),
  ndjson: `${JSON.stringify(one)}\n\n`,
  yaml: `images:\n  - name: debian\n    source: ${source}\n    tags: [a, b]\n    size: 7\n    properties:\n      os_distro: debian\n`,
  csv: `\ufeffname,source,tags,property:os_distro,size,visibility\r\ndebian,${source},"a; b",debian,7,\r\n`,
};

async function problemsOf(text: string, format: ManifestFormat) {
  try {
    await read(text, format);
  } catch (error) {
    if (error instanceof ManifestRefused)
      return error.problems.map(({ image, field, line }) => [image, field, line]);
    throw error;
  }
  assert.fail('it was taken');
}

describe('a manifest', () => {
  for (const format of ['json', 'ndjson', 'yaml', 'csv'] as const)
    test(`says the same as ${format} as in every other way`, async () => {
      const [item, ...others] = await read(texts[format], format);
      assert.deepEqual(others, []);
      assert.deepEqual(item?.attributes.tags, ['a', 'b']);
      assert.deepEqual(item?.attributes.properties, { os_distro: 'debian' });
      assert.equal(item?.attributes.diskFormat, 'qcow2');
      assert.equal(item?.attributes.containerFormat, 'bare');
      assert.equal(item?.expected?.size, 7);
      assert.deepEqual(item, (await read(texts.json, 'json'))[0]);
    });

  test('is a list of images alone, too, and gives images without an id the same one each time', async () => {
    const [first] = await read(JSON.stringify([one]), 'json');
    const [second] = await read(texts.json, 'json');
    const [other] = await read(JSON.stringify([{ ...one, checksum: 'a'.repeat(64) }]), 'json');
    assert.equal(first?.imageId, second?.imageId);
    assert.notEqual(first?.imageId, other?.imageId);
    assert.deepEqual(other?.expected?.digests, { sha256: 'a'.repeat(64) });
  });

  test('is refused by line, image and field', async () => {
    assert.deepEqual(
      await problemsOf(`images:\n  - name: a\n    source: ${source}\n    sise: 3\n`, 'yaml'),
      [[1, 'sise', 4]],
    );
    assert.deepEqual(
      await problemsOf(`{"images": [\n{"name": "a"},\n{"source": "x",\n "size": "y"}]}`, 'json'),
      [
        [1, 'source', 2],
        [2, 'size', 4],
      ],
    );
    assert.deepEqual(
      await problemsOf(`name,source,size\n"two\nlines",${source},1\nb,${source},x\n`, 'csv'),
      [[2, 'size', 4]],
    );
    assert.deepEqual(await problemsOf(`{"source":"${source}"}\n{"source":7}\n`, 'ndjson'), [
      [2, 'source', 2],
    ]);
    assert.deepEqual(await problemsOf('{"source":\n', 'ndjson'), [[null, null, 1]]);
    assert.deepEqual(await problemsOf('a: [\n', 'yaml'), [[null, null, 2]]);
    assert.deepEqual(await problemsOf('name,name\na,b\n', 'csv'), [[null, 'name', 1]]);
    assert.deepEqual(await problemsOf('', 'ndjson'), [[null, null, null]]);
  });

  test('says that there is nothing in it, whatever it is written as', () => {
    const empty = [
      ...([
        ['', 'yaml'],
        ['# soon', 'yaml'],
        ['images:', 'yaml'],
        ['images: []', 'yaml'],
      ] as const),
      ...([
        ['', 'json'],
        ['[]', 'json'],
        ['{"images":[]}', 'json'],
        ['', 'csv'],
      ] as const),
    ];
    for (const [text, format] of empty)
      assert.throws(() => readManifest(text, format), { message: 'there are no images in it' });
  });

  const refusals: Readonly<Record<string, readonly [object, string | null]>> = {
    'a path of some machine': [{ source: '/srv/a.qcow2' }, 'source'],
    'a format that nothing tells': [{ source: 'http://x.example.org/latest' }, 'disk_format'],
    'a format that there is not': [{ disk_format: 'floppy' }, null],
    'a checksum that is none': [{ checksum: 'sha256:12' }, 'checksum'],
    'a store that cannot be written': [{ stores: ['tape'] }, 'stores'],
    'members of an image that is not shared': [
      { visibility: 'private', members: ['x'] },
      'members',
    ],
    'a property that is a field': [{ properties: { owner: 'x' } }, 'properties.owner'],
    'a property that is a number': [{ properties: { os_version: 22.1 } }, 'properties.os_version'],
    'an id that is none': [{ id: 'mine' }, null],
    'a text with NUL': [{ name: 'a\0b' }, null],
  };
  for (const [what, [more, field]] of Object.entries(refusals))
    test(`is refused with ${what}`, async () => {
      const text = JSON.stringify([one, { ...one, name: 'other', ...more }]);
      assert.deepEqual(
        (await problemsOf(text, 'json')).map(([image, name]) => [image, name]),
        [[2, field]],
      );
    });

  test('is refused with the same image twice', async () => {
    assert.deepEqual(await problemsOf(JSON.stringify([one, one]), 'json'), [[2, null, 1]]);
  });

  test('cannot grow in reading, and gives no name a meaning of its own', async () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let depth = 1; depth < 9; depth += 1) {
      const [name, before] = [String.fromCharCode(97 + depth), String.fromCharCode(96 + depth)];
      bomb.push(`${name}: &${name} [${`*${before}, `.repeat(9)}]`);
    }
    assert.throws(() => readManifest(bomb.join('\n'), 'yaml'), ManifestRefused);
    const [item] = await read(
      `[{"name":"a","source":"${source}","properties":{"__proto__":"x","constructor":"y"}}]`,
      'json',
    );
    assert.deepEqual(Object.entries(item?.attributes.properties ?? {}), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  test('of ten thousand images is read in no time', async () => {
    const images = Array.from({ length: 10_000 }, (_, index) => ({
      ...one,
      name: `image-${index}`,
    }));
    const began = performance.now();
    assert.equal((await read(JSON.stringify({ images }), 'json')).length, 10_000);
    assert.ok(performance.now() - began < 20_000);
  });
});
