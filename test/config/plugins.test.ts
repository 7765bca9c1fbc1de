import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configFrom, environmentOf } from '../../infra/config/config.ts';
import { pluginNames } from '../../infra/plugins/plugins.ts';

const properties = (value: string) =>
  configFrom(['--inject-metadata-properties', value], {})['inject-metadata-properties'];

test('properties to inject are written as in Glance, or plainly', () => {
  const wanted = { os_type: 'linux', note: 'a b: c' };
  assert.deepEqual(properties('"os_type":"linux","note":"a b: c"'), wanted);
  assert.deepEqual(properties('os_type:linux, note:a b: c'), wanted);
  assert.deepEqual(properties(''), {});
  for (const wrong of ['os_type', ':linux', 'a:b,c'])
    assert.throws(() => properties(wrong), /inject-metadata-properties/, wrong);
});

test('properties to inject are a map in the file', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'daguerre-config-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'daguerre.yaml');
  writeFileSync(file, 'inject-metadata-properties: {os_type: linux, note: \'a, b: "c"\'}\n');
  const config = configFrom(['--config', file], {});
  const injected = { os_type: 'linux', note: 'a, b: "c"' };
  assert.deepEqual(config['inject-metadata-properties'], injected);
  const passedOn = configFrom([], environmentOf(config));
  assert.deepEqual(passedOn['inject-metadata-properties'], injected);
});

test('every plugin can be named, in any order, and nothing else', () => {
  const names = [...pluginNames].reverse();
  assert.deepEqual(configFrom(['--import-plugins', names.join(',')], {})['import-plugins'], names);
  assert.throws(() => configFrom(['--import-plugins', 'image_magic'], {}), /import-plugins/);
});
