import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { filesOf } from '../../apps/cli/bulk/import.ts';
import { manifestOfStreams } from '../../apps/cli/bulk/simplestreams.ts';
import { onlyNamed } from '../../apps/cli/bulk/uploads.ts';

const base = 'https://images.example.org/releases/';

/** The sources of an index whose only disk is at `path`. */
async function sourcesOf(path: string): Promise<readonly string[]> {
  const documents: Readonly<Record<string, unknown>> = {
    [`${base}streams/v1/index.json`]: {
      index: { released: { path: 'streams/v1/products.json', datatype: 'image-downloads' } },
    },
    [`${base}streams/v1/products.json`]: {
      products: {
        one: {
          os: 'ubuntu',
          versions: { 20261101: { items: { disk: { ftype: 'disk1.img', path } } } },
        },
      },
    },
  };
  const filter = { arch: undefined, release: undefined, versions: 1 };
  const { images } = await manifestOfStreams(
    `${base}streams/v1/index.json`,
    filter,
    async (url) => documents[url],
  );
  return images.map(({ source }) => source);
}

describe('daguerre import', () => {
  test('takes from an index what lies on servers, and no file of this machine', async () => {
    assert.deepEqual(await sourcesOf('noble/disk.img'), [`${base}noble/disk.img`]);
    for (const path of ['upload:/etc/shadow', 'file:///etc/shadow'])
      await assert.rejects(sourcesOf(path), /is not to be had from a server of images/, path);
  });

  test('uploads no file that the manifest does not name, whatever the service waits for', async () => {
    const opened: string[] = [];
    const open = onlyNamed(['upload:/srv/mine.raw'], async (label) => {
      opened.push(label);
      return async () => '';
    });
    assert.notEqual(await open('/srv/mine.raw'), undefined);
    assert.equal(await open('/etc/shadow'), undefined);
    assert.deepEqual(opened, ['/srv/mine.raw']);
  });

  test('knows again which files a manifest, or a directory, means', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'daguerre-named-'));
    t.after(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, 'disk.raw'), 'bytes');
    const manifest = join(directory, 'images.yaml');
    await writeFile(
      manifest,
      'images:\n  - {name: one, source: disk.raw}\n  - {name: two, source: "https://example.org/two.raw"}\n',
    );
    const file = `upload:${join(directory, 'disk.raw')}`;
    assert.deepEqual(await filesOf(manifest, undefined), [file]);
    assert.deepEqual(await filesOf(directory, undefined), [file]);
  });
});
