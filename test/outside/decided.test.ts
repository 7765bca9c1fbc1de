import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../domain/json.ts';
import { requireDecided } from '../support/told-outside.ts';

const given = (type: string, data: JsonObject) => () => requireDecided('image-1', { type, data });
const upload = { uploadId: 'u', declaredSize: null, store: 'file' };

test('an event of which nobody decided what is told outside fails every test that emits it', () => {
  assert.doesNotThrow(given('UploadStarted', { ...upload, owner: 'gateway' }));
  assert.throws(given('ImageEaten', {}), /ImageEaten/);
  assert.throws(given('UploadStarted', { ...upload, owner: 'gateway', colour: 'red' }), /colour/);
  assert.throws(given('UploadStarted', { uploadId: 'u' }), /does not fit/);
  const metadef = (type: string, data: JsonObject) => () =>
    requireDecided('metadef-1', { type, data });
  assert.doesNotThrow(metadef('MetadefTagAdded', { definition: { name: 'x', more: [1] } }));
  assert.throws(metadef('MetadefTagAdded', { definition: {} }), /does not fit/);
  assert.throws(metadef('MetadefTagAdded', { definition: { name: 'x' }, by: 'y' }), /by$/);
  assert.throws(metadef('UploadStarted', upload), /UploadStarted/);
  const method = { name: 'location', url: 'http://example.org', token: 'secret' };
  const request = { uploadId: 'u', stores: ['file'], allStoresMustSucceed: true };
  assert.throws(given('ImportRequested', { ...request, method }), /method\.token$/);
});
