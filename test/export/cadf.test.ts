import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cadfEvent } from '../../domain/export/cadf.ts';
import { formatNamed } from '../../domain/export/format.ts';
import { placeIn } from '../../domain/export/place.ts';
import type { ExportRecord } from '../../domain/export/record.ts';
import { outsideKinds, typesOf } from '../../domain/outside/exposure.ts';
import { requireCadf } from './cadf-rules.ts';

const record: ExportRecord = {
  position: 17n,
  id: '5f0b9a39-0a51-5d3a-8c52-7a0e5f0b9a39',
  time: new Date('2026-11-23T12:00:00.123Z'),
  type: 'VisibilityChanged',
  object: { kind: 'image', id: '0a51d1c2-7a0e-4f0b-9a39-0a51d1c2f7e4' },
  projectId: 'red',
  refused: false,
  metadata: {
    actor: { kind: 'user', userId: 'alice', projectId: 'red', roles: ['member'] },
    requestId: 'req-1',
    globalRequestId: 'req-global',
    rule: 'modify_image',
    causationId: 'cause',
    correlationId: 'whole',
    personal: 'hash',
  },
  person: { userName: 'Alice', remoteAddress: '192.0.2.7', userAgent: 'openstacksdk' },
  document: {
    position: '17',
    id: '5f0b9a39-0a51-5d3a-8c52-7a0e5f0b9a39',
    type: 'VisibilityChanged',
    changes: [{ kind: 'field', name: 'visibility', old: 'private', new: 'public' }],
  },
};

const refusal = (action: string | null, target: string | null): ExportRecord => ({
  ...record,
  type: 'RequestRefused',
  refused: true,
  object: target === null ? null : { kind: 'image', id: target },
  document: {
    position: '17',
    refusal: { action, rule: 'delete_image', target, code: 'not-allowed', count: 1 },
  },
});

describe('A CADF event', () => {
  test('has what DSP0262 asks for, named as pyCADF names it', () => {
    const event = cadfEvent(record, 'RegionOne');
    requireCadf(event);
    const { attachments, ...rest } = event;
    assert.deepEqual(rest, {
      typeURI: 'http://schemas.dmtf.org/cloud/audit/1.0/event',
      eventType: 'activity',
      id: record.id,
      eventTime: '2026-11-23T12:00:00.123+00:00',
      name: 'VisibilityChanged',
      action: 'update',
      outcome: 'success',
      reason: { policyType: 'oslo.policy', policyId: 'modify_image' },
      initiator: {
        typeURI: 'service/security/account/user',
        id: 'alice',
        project_id: 'red',
        name: 'Alice',
        host: { address: '192.0.2.7', agent: 'openstacksdk' },
        request_id: 'req-1',
        global_request_id: 'req-global',
      },
      target: { typeURI: 'data/image', id: record.object?.id, project_id: 'red' },
      observer: { typeURI: 'service/storage/image', id: 'daguerre:RegionOne', name: 'daguerre' },
      tags: ['position?value=17', 'correlation_id?value=whole', 'causation_id?value=cause'],
    });
    assert.deepEqual(JSON.parse(JSON.stringify(attachments)), [
      {
        typeURI: 'application/json',
        name: 'daguerre',
        content: { position: '17', type: 'VisibilityChanged', changes: record.document.changes },
      },
    ]);
  });

  test('of a refused attempt is a failure, of what was tried, with the rule that said no', () => {
    const event = cadfEvent(refusal('DELETE /v2/images/{image_id}', 'one'), 'RegionOne');
    requireCadf(event);
    assert.deepEqual(
      [event.action, event.outcome, event.requestPath, event.reason],
      [
        'delete',
        'failure',
        'DELETE /v2/images/{image_id}',
        {
          reasonType: 'daguerre/refusal',
          reasonCode: 'not-allowed',
          policyType: 'oslo.policy',
          policyId: 'delete_image',
        },
      ],
    );
  });

  test('of attempts that are counted together is of the service, and of no known action', () => {
    const event = cadfEvent(refusal(null, null), 'RegionOne');
    requireCadf(event);
    assert.deepEqual([event.action, event.target], ['unknown', event.observer]);
  });

  test('of who was erased, or of a part of the system, has nobody’s name', () => {
    const erased = cadfEvent({ ...record, person: null }, 'RegionOne');
    requireCadf(erased);
    assert.deepEqual([erased.initiator.name, erased.initiator.host], [undefined, undefined]);
    const { actor: _, personal: __, ...metadata } = record.metadata;
    const system = { ...metadata, actor: { kind: 'system', part: 'worker' } as const };
    const event = cadfEvent({ ...record, metadata: system, person: null }, 'RegionOne');
    requireCadf(event);
    assert.deepEqual(
      [event.initiator.typeURI, event.initiator.id],
      ['service/storage/image', 'daguerre:worker'],
    );
  });

  test('is valid of every fact that there is, and knows what was done', () => {
    for (const type of outsideKinds.flatMap(typesOf)) {
      const event = cadfEvent({ ...record, type }, 'RegionOne');
      requireCadf(event);
      assert.notEqual(event.action, 'unknown', type);
    }
  });

  test('is valid of facts that nobody has heard of, about things of no known kind', () => {
    const object = { kind: 'gadget', id: '' };
    const event = cadfEvent({ ...record, type: 'GadgetFrobbed', object }, 'RegionOne');
    requireCadf(event);
    assert.deepEqual([event.action, event.target.typeURI], ['unknown', 'unknown']);
  });

  const acts = [
    ['ImageCreated', 'create', 'success'],
    ['ImageDeleted', 'delete', 'success'],
    ['ImageDeletionScheduled', 'delete', 'pending'],
    ['ImageRestored', 'restore', 'success'],
    ['ImageDeactivated', 'disable', 'success'],
    ['ImageReactivated', 'enable', 'success'],
    ['MemberRemoved', 'update', 'success'],
    ['UploadStarted', 'start', 'success'],
    ['UploadAborted', 'stop', 'failure'],
    ['IngestFailed', 'stop', 'failure'],
    ['DiskFormatInspected', 'evaluate', 'success'],
    ['MetadefNamespaceDeleted', 'delete', 'success'],
    ['MetadefObjectRemoved', 'update', 'success'],
    ['PersonalErasureOrdered', 'delete', 'pending'],
  ] as const;
  for (const [type, action, outcome] of acts)
    test(`of ${type} is ${action}, ${outcome}`, () => {
      const event = cadfEvent({ ...record, type }, 'RegionOne');
      assert.deepEqual([event.action, event.outcome], [action, outcome]);
    });
});

test('The rules of these tests find what is wrong', () => {
  const event = cadfEvent(record, 'RegionOne');
  for (const wrong of [
    { ...event, action: 'frobnicate' },
    { ...event, outcome: 'refused' },
    { ...event, observer: undefined },
    { ...event, extra: 1 },
    { ...event, eventTime: 'yesterday' },
    { ...event, reason: { policyType: 'oslo.policy' } },
    { ...event, initiator: { ...event.initiator, id: '' } },
    { ...event, target: { ...event.target, typeURI: 'image' } },
  ])
    assert.throws(() => requireCadf(wrong));
});

test('From every document it can be read of which event it is', () => {
  for (const name of ['event', 'cadf'] as const) {
    const { document, abridged } = formatNamed(name, 'RegionOne');
    for (const one of [document(record), abridged(record)])
      assert.deepEqual(placeIn(JSON.parse(JSON.stringify(one))), {
        position: 17n,
        eventId: record.id,
      });
  }
  for (const other of [null, 'text', [], {}, { id: 'one' }, { id: 1, position: '2' }])
    assert.equal(placeIn(other), undefined);
});
