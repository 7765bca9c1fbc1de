import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Failed } from '../../apps/worker/claim.ts';
import {
  dataUrl,
  describedBy,
  documentUrl,
  endpointGuard,
  type RemoteImage,
} from '../../apps/worker/remote-image.ts';
import { UrlRefused } from '../../infra/net/address-guard.ts';

const at = (endpoint: string): RemoteImage => ({
  name: 'glance-download',
  region: 'two',
  imageId: 'id',
  interface: 'public',
  endpoint,
});
const rules = {
  prefixes: ['hw_', 'trait:', 'os_'],
  diskFormats: ['raw', 'qcow2'],
  containerFormats: ['bare'],
};
const image = {
  status: 'active',
  size: 512,
  disk_format: 'qcow2',
  container_format: 'bare',
  checksum: 'a'.repeat(32),
  os_hash_algo: 'sha512',
  os_hash_value: 'B'.repeat(128),
};
const described = (given: object, text = JSON.stringify({ ...image, ...given })) =>
  describedBy(text, at('https://two.example'), rules);

describe('an image of another service', () => {
  for (const endpoint of [
    'https://two.example/image',
    'https://two.example/image/',
    'https://two.example/image/v2',
    'https://two.example/image/v2.9/',
  ])
    test(`is found at ${endpoint}`, () => {
      assert.equal(documentUrl(at(endpoint)), 'https://two.example/image/v2/images/id');
      assert.equal(dataUrl(at(endpoint)), 'https://two.example/image/v2/images/id/file');
    });

  test('may be anywhere, but leads nowhere else', async () => {
    const guard = endpointGuard(at('http://127.0.0.1:9292'));
    await guard.admit('http://127.0.0.1:9292/v2/images/id');
    for (const url of ['http://127.0.0.1:80/', 'http://127.0.0.2:9292/', 'http://169.254.169.254/'])
      await assert.rejects(guard.admit(url), UrlRefused);
  });

  test('brings its formats, its properties by prefix, and what its bytes are', () => {
    assert.deepEqual(
      described({ hw_disk_bus: 'scsi', 'trait:X': 'required', secret: 'ours', hw_count: 2 }),
      {
        diskFormat: 'qcow2',
        containerFormat: 'bare',
        properties: { hw_disk_bus: 'scsi', 'trait:X': 'required' },
        expected: {
          digests: { md5: 'a'.repeat(32), sha512: 'b'.repeat(128) },
          size: 512,
          sums: null,
        },
      },
    );
  });

  test('brings no field of its own as a property, whatever the prefixes are', () => {
    assert.deepEqual(described({ os_hidden: 'yes' }).properties, {});
  });

  test('is held to the digests that are known, and to no others', () => {
    const { expected } = described({ checksum: null, os_hash_algo: 'blake2b', size: null });
    assert.deepEqual(expected, { digests: {}, size: null, sums: null });
  });

  for (const [what, given, text] of [
    ['is not active', { status: 'queued' }, undefined],
    ['has a format that this site has not', { disk_format: 'ploop' }, undefined],
    ['has no format', { container_format: null }, undefined],
    ['is no image', {}, '[]'],
    ['is no JSON', {}, '<html>'],
  ] as const)
    test(`that ${what} cannot be had`, () => {
      assert.throws(() => described(given, text), Failed);
    });
});
