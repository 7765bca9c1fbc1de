import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anyValue } from '../../domain/export/otlp.ts';
import { until } from '../support/until.ts';
import { exportSite, target } from './site.ts';
import { type Request, saying, webReceiver } from './web-receiver.ts';

/**
 * OTLP in JSON: `logs.proto`, `common.proto` and `logs_service.proto` of github.com/open-telemetry/opentelemetry-proto as of
 * 2026-03-09 (b2b02ced), in the JSON mapping of protobuf: lowerCamelCase names, 64-bit integers as decimal text.
 */
const fields = {
  request: ['resourceLogs'],
  resourceLogs: ['resource', 'scopeLogs', 'schemaUrl'],
  resource: ['attributes', 'droppedAttributesCount'],
  scopeLogs: ['scope', 'logRecords', 'schemaUrl'],
  scope: ['name', 'version', 'attributes', 'droppedAttributesCount'],
  logRecord: [
    ...['timeUnixNano', 'observedTimeUnixNano', 'severityNumber', 'severityText', 'body'],
    ...['attributes', 'droppedAttributesCount', 'flags', 'traceId', 'spanId', 'eventName'],
  ],
  keyValue: ['key', 'value'],
} as const;
const scalars: Readonly<Record<string, (value: unknown) => boolean>> = {
  stringValue: (value) => typeof value === 'string',
  boolValue: (value) => typeof value === 'boolean',
  intValue: (value) => typeof value === 'string' && /^-?\d+$/.test(value),
  doubleValue: (value) => typeof value === 'number',
};

type Document = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Document[] => {
  assert.ok(Array.isArray(value));
  return value;
};
function only(one: unknown, known: readonly string[]): Document {
  const strange = Object.keys(one as Document).filter((key) => !known.includes(key));
  assert.deepEqual(strange, []);
  return one as Document;
}

/** One of the values of AnyValue's `oneof`, or none. */
function requireValue(value: unknown): void {
  const entries = Object.entries(value as Document);
  assert.ok(entries.length <= 1);
  for (const [kind, one] of entries)
    if (kind === 'arrayValue') list(only(one, ['values']).values).forEach(requireValue);
    else if (kind === 'kvlistValue') requireAttributes(only(one, ['values']).values);
    else assert.ok(scalars[kind]?.(one), kind);
}

function requireAttributes(value: unknown): void {
  const keys = list(value).map((one) => {
    only(one, fields.keyValue);
    requireValue(one.value);
    assert.equal(typeof one.key, 'string');
    return one.key;
  });
  assert.equal(new Set(keys).size, keys.length, 'keys are unique');
}

function recordsIn({ body }: Request): readonly Document[] {
  const request = only(JSON.parse(body), fields.request);
  return list(request.resourceLogs).flatMap((logs) => {
    only(logs, fields.resourceLogs);
    requireAttributes(only(logs.resource, fields.resource).attributes);
    return list(logs.scopeLogs).flatMap((scoped) => {
      only(scoped, fields.scopeLogs);
      only(scoped.scope, fields.scope);
      return list(scoped.logRecords).map((record) => {
        only(record, fields.logRecord);
        requireAttributes(record.attributes);
        requireValue(record.body);
        assert.match(String(record.timeUnixNano), /^\d{19}$/);
        assert.match(String(record.observedTimeUnixNano), /^\d{19}$/);
        assert.ok(Number(record.severityNumber) >= 1 && Number(record.severityNumber) <= 24);
        return record;
      });
    });
  });
}

const attribute = (record: Document | undefined, name: string): unknown =>
  (list(record?.attributes).find(({ key }) => key === name)?.value as Document)?.stringValue;

describe('OpenTelemetry logs', () => {
  test('are posted in the JSON of OTLP, to /v1/logs where no path is said', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(250);
    const headers = { Authorization: 'Bearer secret' };
    site.start(target({ id: 'collector', type: 'otlp', url: receiver.url, headers }));
    const got = await until('all of them', () => {
      const records = receiver.kept.flatMap(recordsIn);
      return records.length >= 250 ? records : undefined;
    });
    const all = await site.all();
    assert.deepEqual(
      got.slice(0, all.length).map((record) => attribute(record, 'log.record.uid')),
      all.map(({ id }) => id).slice(0, got.length),
    );
    const [request] = receiver.kept;
    assert.deepEqual(
      [request?.path, request?.headers['content-type'], request?.headers.authorization],
      ['/v1/logs', 'application/json', headers.Authorization],
    );
    const [first] = got;
    assert.deepEqual(
      [first?.eventName, first?.severityText, attribute(first, 'daguerre.position')],
      ['daguerre.TagAdded', 'INFO', '1'],
    );
    const [event] = await site.log.readAll(0n, 1);
    assert.equal(first?.timeUnixNano, `${event?.recordedAt.getTime()}000000`);
  });

  test('of which a collector takes only some are not taken as taken', async (t) => {
    const site = await exportSite(t);
    const receiver = await webReceiver();
    await site.append(10);
    const [, , , fourth] = await site.all();
    receiver.answerWith((request, response, keep) => {
      const rejects = request.body.includes(String(fourth?.id));
      if (!rejects) keep();
      const answer = rejects
        ? { partialSuccess: { rejectedLogRecords: '1', errorMessage: 'too strange' } }
        : {};
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    });
    site.start(target({ id: 'collector', type: 'otlp', url: `${receiver.url}v1/logs` }));
    const standing = await until('it to stop there', async () => {
      const [one] = await site.cursors.standings();
      return one?.refused === null ? undefined : one;
    });
    assert.deepEqual([standing?.position, standing?.refused], [3n, 4n]);
    assert.match(standing?.error ?? '', /all but 1 of the records: too strange/);
    receiver.answerWith(saying(200));
    await until('all to be taken', async () => {
      const [one] = await site.cursors.standings();
      return one?.position === (await site.log.head());
    });
  });

  test('keep every kind of JSON value', () => {
    const value = anyValue({
      ...{ text: 'x', yes: true, whole: 3, part: 0.5, none: null, unsaid: undefined },
      list: [1, 'two', { three: null }],
    });
    requireValue(value);
    assert.deepEqual(value, {
      kvlistValue: {
        values: [
          { key: 'text', value: { stringValue: 'x' } },
          { key: 'yes', value: { boolValue: true } },
          { key: 'whole', value: { intValue: '3' } },
          { key: 'part', value: { doubleValue: 0.5 } },
          { key: 'none', value: {} },
          {
            key: 'list',
            value: {
              arrayValue: {
                values: [
                  { intValue: '1' },
                  { stringValue: 'two' },
                  { kvlistValue: { values: [{ key: 'three', value: {} }] } },
                ],
              },
            },
          },
        ],
      },
    });
  });
});
