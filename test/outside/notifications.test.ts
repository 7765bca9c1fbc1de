import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { envelope, type Notification } from '../../infra/outside/notifications/envelope.ts';
import {
  imageKnownAfter,
  imageNotifications,
  nothingKnown,
} from '../../infra/outside/notifications/image.ts';
import {
  type MetadefKnown,
  metadefKnownAfter,
  metadefNotifications,
} from '../../infra/outside/notifications/metadef.ts';
import { plain, recorded } from '../projections/recorded.ts';
import { requirePackage } from '../support/packages.ts';

const imageId = '11111111-2222-4333-8444-555555555555';
const uploadId = 'upload-1';

/** Those of each event in turn. */
function told(...events: readonly ImageEvent[]): readonly (readonly Notification[])[] {
  let known = nothingKnown;
  return recorded(imageId, events).map((event) => {
    const notifications = imageNotifications(event, known);
    known = imageKnownAfter(known, event);
    return notifications;
  });
}
const names = (...events: readonly ImageEvent[]): readonly string[] =>
  told(...events)
    .at(-1)
    ?.map(({ type, priority }) => (priority === 'error' ? `${type} (error)` : type)) ?? [];
const last = (...events: readonly ImageEvent[]): readonly Notification[] =>
  told(...events).at(-1) ?? [];

function payloadOf(notification: Notification | undefined): Record<string, unknown> {
  assert.ok(notification);
  return notification.payload as Record<string, unknown>;
}

const created: ImageEvent = {
  type: 'ImageCreated',
  data: { ...plain, name: 'cirros', properties: { os_distro: 'debian' }, tags: ['lts'] },
};
const started: ImageEvent = {
  type: 'UploadStarted',
  data: { uploadId, owner: 'gateway-1', declaredSize: 7, store: 'file' },
};
const staged: ImageEvent = { type: 'UploadStaged', data: { uploadId, size: 7 } };
const claimed: ImageEvent = {
  type: 'IngestClaimed',
  data: { uploadId, epoch: 1, supersedes: 0, owner: 'worker-1' },
};
const stored: ImageEvent = {
  type: 'ImageDataStored',
  data: { uploadId, epoch: 1, store: 'file', key: 'secret/key', size: 7 },
};
const digested: ImageEvent = {
  type: 'ImageDigested',
  data: { uploadId, digests: { md5: 'm', sha512: 's' }, algorithm: 'sha512' },
};
const inspected: ImageEvent = {
  type: 'DiskFormatInspected',
  data: { uploadId, declared: 'raw', detected: 'raw', virtualSize: 7 },
};
const activated: ImageEvent = { type: 'ImageActivated', data: { uploadId } };
const upload = [created, started, staged, claimed, stored, digested, inspected, activated];
const deleted: ImageEvent = { type: 'ImageDeleted', data: {} };
const added: ImageEvent = { type: 'MemberAdded', data: { member: 'project-b' } };

describe("an image's notifications", () => {
  test('tell the image as Glance does, without locations', () => {
    const [[notification] = []] = told(created);
    const { created_at: at, ...payload } = payloadOf(notification);
    assert.match(String(at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.deepEqual(payload, {
      id: imageId,
      name: 'cirros',
      status: 'queued',
      updated_at: at,
      min_disk: plain.minDisk,
      min_ram: plain.minRam,
      protected: plain.protected,
      checksum: null,
      owner: plain.owner,
      disk_format: plain.diskFormat,
      container_format: plain.containerFormat,
      size: null,
      virtual_size: null,
      is_public: plain.visibility === 'public',
      visibility: plain.visibility,
      properties: { os_distro: 'debian' },
      tags: ['lts'],
      deleted: false,
      deleted_at: null,
    });
    assert.doesNotMatch(JSON.stringify(told(...upload)), /secret/);
  });

  test('go through an upload in the order of Glance', () => {
    assert.deepEqual(
      told(...upload)
        .flat()
        .map(({ type }) => type),
      [
        'image.create',
        'image.update',
        'image.prepare',
        'image.upload',
        'image.activate',
        'image.update',
      ],
    );
    const [, prepare] = last(created, started);
    assert.deepEqual(payloadOf(prepare).backend, 'file');
    const [uploaded] = last(...upload);
    const { status, size, checksum, os_glance_failed_import } = payloadOf(uploaded);
    assert.deepEqual([status, size, checksum, os_glance_failed_import], ['active', 7, 'm', []]);
  });

  test('say that an upload failed, in a text alone', () => {
    const aborted: ImageEvent = {
      type: 'UploadAborted',
      data: { uploadId, reason: 'client-gone', message: 'the client has gone' },
    };
    assert.deepEqual(last(created, started, aborted)[0], {
      type: 'image.upload',
      priority: 'error',
      payload: 'the client has gone',
    });
  });

  test('say of a deleted image what it was, and when it went', () => {
    const [notification] = last(...upload, deleted);
    const { status, deleted: isGone, deleted_at } = payloadOf(notification);
    assert.deepEqual([notification?.type, status, isGone], ['image.delete', 'deleted', true]);
    assert.match(String(deleted_at), /Z$/);
    assert.deepEqual(names(...upload, deleted, { type: 'ImageDataRemoved', data: {} }), []);
    const scheduled: ImageEvent = {
      type: 'ImageDeletionScheduled',
      data: { dueAt: '2026-05-01T09:00:00.000Z' },
    };
    assert.deepEqual(names(...upload, scheduled), ['image.delete']);
    assert.deepEqual(names(...upload, scheduled, deleted), []);
  });

  test('tell updates once each, and what nobody sees not at all', () => {
    assert.deepEqual(names(created, { type: 'TagAdded', data: { tag: 'x' } }), ['image.update']);
    assert.deepEqual(names(...upload, { type: 'ImageDeactivated', data: {} }), ['image.update']);
    assert.deepEqual(names(created, started, staged), []);
    assert.deepEqual(names(created, started, staged, claimed), []);
    assert.deepEqual(names(created, activated), []);
  });

  test('tell members with times of their own', () => {
    const removed: ImageEvent = { type: 'MemberRemoved', data: { member: 'project-b' } };
    const accepted: ImageEvent = {
      type: 'MemberStatusChanged',
      data: { member: 'project-b', from: 'pending', to: 'accepted' },
    };
    assert.deepEqual(names(created, added), ['image.member.create']);
    assert.deepEqual(names(created, added, accepted), ['image.member.update']);
    const [notification] = last(created, added, accepted, removed);
    const { created_at, updated_at, deleted_at, ...rest } = payloadOf(notification);
    assert.deepEqual(
      [notification?.type, rest],
      [
        'image.member.delete',
        { image_id: imageId, member_id: 'project-b', status: 'accepted', deleted: true },
      ],
    );
    for (const time of [created_at, updated_at, deleted_at]) assert.match(String(time), /Z$/);
  });

  test('tell an import as a task, and each of its stores', () => {
    const requested: ImageEvent = {
      type: 'ImportRequested',
      data: {
        uploadId,
        method: { name: 'glance-direct' },
        stores: ['file'],
        allStoresMustSucceed: true,
      },
    };
    const staging: ImageEvent = { ...started, data: { ...started.data, purpose: 'stage' } };
    const life = [created, staging, staged, requested, claimed, stored, digested, inspected];
    const all = told(...life, activated, { type: 'ImportCompleted', data: { uploadId } });
    const seen = all.flat().map(({ type }) => type);
    assert.deepEqual(
      seen.filter((type) => type !== 'image.update'),
      [
        'image.create',
        'task.create',
        'task.run',
        'task.processing',
        'image.prepare',
        'image.upload',
        'image.activate',
        'task.success',
      ],
    );
    const success = payloadOf(all.flat().at(-1));
    const { id, type, status, result, message, owner, expires_at } = success;
    assert.deepEqual(
      [id, type, status, result, message, owner],
      [uploadId, 'api_image_import', 'success', null, null, plain.owner],
    );
    assert.match(String(expires_at), /Z$/);
  });
});

test("a namespace's notifications tell it and what it consists of, with old names", () => {
  const attributes = {
    namespace: 'OS::Compute',
    displayName: 'Compute',
    description: null,
    visibility: 'public',
    protected: false,
    owner: 'admin',
  };
  const of = (...events: readonly { type: string; data: object }[]) => {
    let known: MetadefKnown = {};
    const images = recorded(imageId, events as unknown as readonly ImageEvent[]);
    return images
      .map((event): RecordedEvent => ({ ...event, streamId: `metadef-${imageId}` }))
      .map((event) => {
        const notifications = metadefNotifications(event, known);
        known = metadefKnownAfter(known, event);
        return notifications.map(({ type, payload }) => ({
          type,
          payload: payload as Record<string, unknown>,
        }));
      });
  };
  const property = { name: 'cpu', type: 'string', title: 'CPU' };
  const [creation, change, renaming, emptying, end] = of(
    {
      type: 'MetadefNamespaceCreated',
      data: {
        ...attributes,
        claimId: 'c',
        definitions: {
          association: [{ name: 'OS::Nova::Server' }],
          property: [property],
          object: [],
          tag: [],
        },
      },
    },
    {
      type: 'MetadefPropertyChanged',
      data: { from: property, to: { ...property, name: 'cores' } },
    },
    { type: 'MetadefNamespaceRenamed', data: { from: 'OS::Compute', to: 'OS::C', claimId: 'd' } },
    { type: 'MetadefPropertiesRemoved', data: { names: ['cores'] } },
    { type: 'MetadefNamespaceDeleted', data: {} },
  );
  assert.deepEqual(
    creation?.map(({ type }) => type),
    ['metadef_namespace.create', 'metadef_resource_type.create', 'metadef_property.create'],
  );
  assert.deepEqual(change?.[0]?.type, 'metadef_property.update');
  const { name, name_old, namespace, type, title, enum: values } = change?.[0]?.payload ?? {};
  assert.deepEqual(
    [name, name_old, namespace, type, title, values],
    ['cores', 'cpu', 'OS::Compute', 'string', 'CPU', null],
  );
  assert.deepEqual(
    [renaming?.[0]?.payload.namespace, renaming?.[0]?.payload.namespace_old],
    ['OS::C', 'OS::Compute'],
  );
  assert.deepEqual(
    [emptying?.[0]?.type, emptying?.[0]?.payload.deleted],
    ['metadef_namespace.delete_properties', true],
  );
  assert.deepEqual([end?.[0]?.type, end?.[0]?.payload.deleted], ['metadef_namespace.delete', true]);
});

test('oslo.messaging reads the envelope', () => {
  requirePackage('python3-keystone'); // brings python3-oslo.messaging
  const [event] = recorded(imageId, [created]);
  assert.ok(event);
  const [notification] = imageNotifications(event, nothingKnown);
  assert.ok(notification);
  const wire = envelope(event, notification, { index: 0, publisherId: 'image.localhost' });
  const script = `
import json, sys
from oslo_messaging._drivers import common
message = common.deserialize_msg(json.load(sys.stdin))
print(json.dumps(message))`;
  const read = JSON.parse(
    execFileSync('/usr/bin/python3', ['-c', script], {
      input: JSON.stringify(wire),
      encoding: 'utf8',
    }),
  );
  const { event_type, publisher_id, priority, payload, timestamp, message_id } = read;
  assert.deepEqual(
    [event_type, publisher_id, priority],
    ['image.create', 'image.localhost', 'INFO'],
  );
  assert.deepEqual(payload, notification.payload);
  assert.match(timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$/);
  assert.match(message_id, /^[0-9a-f-]{36}$/);
});
