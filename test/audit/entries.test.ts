import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { canonicalJson } from '../../domain/audit/canonical-json.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { entryText } from '../../infra/audit/sha256.ts';

const event: RecordedEvent = {
  id: '6f3c1d52-7a0e-5f0b-9a39-0a51d1c2f7e4',
  type: 'TagAdded',
  schemaVersion: 1,
  streamId: 'image-0b7e',
  revision: 3,
  position: 42n,
  recordedAt: new Date('2026-11-23T10:00:00.120Z'),
  data: { tag: 'tested' },
  metadata: {
    actor: { kind: 'user', userId: 'alice', projectId: 'red', roles: ['member'] },
    requestId: 'req-1',
    causationId: 'c',
    correlationId: 'd',
  },
};

describe('Canonical JSON (RFC 8785)', () => {
  test('writes the example of its section 3.2.2', () => {
    const value = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    ) as Json;
    assert.equal(
      canonicalJson(value),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('orders keys by their UTF-16 code units, as the example of its section 3.2.3', () => {
    const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
    const value = Object.fromEntries(keys.map((key) => [key, 1]));
    const order = [...canonicalJson(value).matchAll(/"((?:[^"\\]|\\.)+)":/g)].map(([, key]) => key);
    const expected = ['\\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'];
    assert.deepEqual(order, expected);
  });

  test('refuses a number that JSON has not, and leaves out what is undefined', () => {
    assert.throws(() => canonicalJson({ size: Number.POSITIVE_INFINITY }), RangeError);
    assert.equal(canonicalJson({ b: undefined, a: -0 }), '{"a":0}');
  });
});

describe('The entry of an event', () => {
  test('is the same in whatever order a store gives its keys', () => {
    const { actor, ...ids } = event.metadata;
    const other = { ...event, metadata: { ...ids, actor: { ...actor } } };
    assert.equal(entryText(other), entryText(event));
    assert.equal(
      entryText(event),
      '{"data":{"tag":"tested"},"id":"6f3c1d52-7a0e-5f0b-9a39-0a51d1c2f7e4","metadata":{"actor":{"kind":"user","projectId":"red","roles":["member"],"userId":"alice"},"causationId":"c","correlationId":"d","requestId":"req-1"},"position":"42","recordedAt":"2026-11-23T10:00:00.120Z","revision":3,"schemaVersion":1,"streamId":"image-0b7e","type":"TagAdded"}',
    );
  });

  test('has the hash of data that would not fit into an entry of a tile', () => {
    const data: JsonObject = { properties: { note: 'ä'.repeat(40_000) } };
    const entry = JSON.parse(entryText({ ...event, data }));
    assert.match(entry.dataSha256, /^[0-9a-f]{64}$/);
    assert.equal(entry.data, undefined);
    assert.deepEqual(entry.metadata, event.metadata);
    const changed = { properties: { note: `${'ä'.repeat(39_999)}b` } };
    const other = JSON.parse(entryText({ ...event, data: changed }));
    assert.notEqual(other.dataSha256, entry.dataSha256);
  });

  test('has the hash of metadata, too, where that alone would not fit', () => {
    const actor = {
      ...event.metadata.actor,
      roles: ['r'.repeat(70_000)],
    } as RecordedEvent['metadata']['actor'];
    const entry = JSON.parse(entryText({ ...event, metadata: { ...event.metadata, actor } }));
    assert.match(entry.metadataSha256, /^[0-9a-f]{64}$/);
    assert.equal(entry.streamId, event.streamId);
  });
});
