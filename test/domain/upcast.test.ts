import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { image } from '../../domain/image/image.ts';
import { schemaVersions, upcast, upcastWith } from '../../domain/image/upcast.ts';
import type { JsonObject } from '../../domain/json.ts';

/** A creation exactly as version 1 stored it. What is in a log stays in it: this literal never changes. */
const storedCreation = `{
  "id": "1c1b1a51-6ad0-5c3c-8d0a-6d5f4f6f0a11",
  "type": "ImageCreated",
  "schemaVersion": 1,
  "streamId": "image-9f0c7d0e-3c1b-4a43-9d8e-5c4f1b1f2a10",
  "revision": 0,
  "data": {
    "name": "base", "owner": "owners", "visibility": "shared", "protected": false, "hidden": false,
    "diskFormat": "raw", "containerFormat": "bare", "minDisk": 1, "minRam": 64,
    "tags": ["linux"], "properties": { "os_distro": "debian" }
  },
  "metadata": {
    "actor": { "kind": "user", "userId": "u", "projectId": "owners", "roles": ["member"] },
    "requestId": "req-1", "rule": "add_image", "causationId": "c", "correlationId": "req-1"
  }
}`;

const recorded = (): RecordedEvent => ({
  ...JSON.parse(storedCreation),
  position: 7n,
  recordedAt: new Date('2026-01-01T00:00:00Z'),
});

test('an image created under version 1 is still that image', () => {
  const event = upcast(recorded());
  assert.deepEqual(image.evolve(image.initial, event as never), {
    status: 'queued',
    upload: null,
    members: [],
    name: 'base',
    owner: 'owners',
    visibility: 'shared',
    protected: false,
    hidden: false,
    diskFormat: 'raw',
    containerFormat: 'bare',
    minDisk: 1,
    minRam: 64,
    tags: ['linux'],
    properties: { os_distro: 'debian' },
  });
});

const steps = {
  ImageCreated: [
    ({ name, ...rest }: JsonObject) => ({ ...rest, title: name }),
    (data: JsonObject) => ({ ...data, title: `${data.title}!` }),
  ],
};

test('an old event is lifted through every version since its own', () => {
  const lifted = upcastWith(steps)(recorded());
  assert.equal(lifted.schemaVersion, 3);
  assert.equal(lifted.data.title, 'base!');
  assert.equal('name' in lifted.data, false);
});

test('lifting starts at the version that was stored', () => {
  const { data } = recorded();
  const second = { ...recorded(), schemaVersion: 2, data: { ...data, title: 'newer' } };
  const lifted = upcastWith(steps)(second);
  assert.equal(lifted.schemaVersion, 3);
  assert.equal(lifted.data.title, 'newer!');
  assert.equal(lifted.data.name, 'base');
});

test('the newest version and other types pass as they are, and nothing else of an event moves', () => {
  const newest = { ...recorded(), schemaVersion: 3 };
  assert.equal(upcastWith(steps)(newest), newest);
  const other = { ...recorded(), type: 'TagAdded' };
  assert.equal(upcastWith(steps)(other), other);
  const { data: _, schemaVersion: __, ...before } = recorded();
  const { data: ___, schemaVersion: ____, ...after } = upcastWith(steps)(recorded());
  assert.deepEqual(after, before);
});

test('every version written today is one that upcasting leads to', () => {
  for (const [type, version] of Object.entries(schemaVersions)) {
    const lifted = upcast({ ...recorded(), type, schemaVersion: version });
    assert.equal(lifted.schemaVersion, version);
  }
});
