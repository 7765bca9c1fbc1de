import type { Json, JsonObject } from '../json.ts';
import type { ExportRecord } from './record.ts';

/** OTLP's AnyValue in JSON: 64-bit integers are text (opentelemetry-proto, "JSON Protobuf Encoding"). */
type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } }
  | { readonly kvlistValue: { readonly values: readonly KeyValue[] } }
  | Readonly<Record<string, never>>;
interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** Severity numbers of the log data model: INFO and WARN. */
const severities = {
  success: { severityNumber: 9, severityText: 'INFO' },
  refused: { severityNumber: 13, severityText: 'WARN' },
} as const;

/** The body of one request to `/v1/logs`: `ExportLogsServiceRequest`. */
export const otlpRequest = (
  records: readonly ExportRecord[],
  { documentOf, region }: { documentOf: (record: ExportRecord) => JsonObject; region: string },
) => ({
  resourceLogs: [
    {
      resource: {
        attributes: attributes({
          'service.name': 'daguerre',
          'service.namespace': 'image',
          'cloud.region': region,
        }),
      },
      scopeLogs: [
        {
          scope: { name: 'daguerre.audit' },
          logRecords: records.map((record) => logRecord(record, documentOf(record))),
        },
      ],
    },
  ],
});

function logRecord(record: ExportRecord, document: JsonObject) {
  const { time, type, metadata, object, projectId, refused, person, position, id } = record;
  const { actor, globalRequestId, rule } = metadata;
  // The log took it then: sent again, it is the same to the last byte.
  const timeUnixNano = `${time.getTime()}000000`;
  return {
    timeUnixNano,
    observedTimeUnixNano: timeUnixNano,
    ...severities[refused ? 'refused' : 'success'],
    eventName: `daguerre.${type}`,
    body: anyValue(document),
    attributes: attributes({
      'log.record.uid': id,
      'daguerre.position': String(position),
      'daguerre.type': type,
      'daguerre.outcome': refused ? 'refused' : 'success',
      'daguerre.object.kind': object?.kind ?? null,
      'daguerre.object.id': object?.id ?? null,
      'daguerre.project.id': projectId,
      'daguerre.rule': rule ?? null,
      'daguerre.request.id': metadata.requestId,
      'daguerre.global_request.id': globalRequestId ?? null,
      'user.id': actor.kind === 'user' ? actor.userId : `daguerre:${actor.part}`,
      'user.name': person?.userName || null,
      'client.address': person?.remoteAddress || null,
      'user_agent.original': person?.userAgent || null,
    }),
  };
}

/** Without what is not there. */
const attributes = (values: Readonly<Record<string, string | null>>): readonly KeyValue[] =>
  Object.entries(values).flatMap(([key, value]) =>
    value === null ? [] : [{ key, value: { stringValue: value } }],
  );

/** Null is a value without any of its kinds. */
export function anyValue(value: Json): AnyValue {
  if (value === null) return {};
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (isList(value)) return { arrayValue: { values: value.map(anyValue) } };
  const values = Object.entries(value).flatMap(([key, one]) =>
    one === undefined ? [] : [{ key, value: anyValue(one) }],
  );
  return { kvlistValue: { values } };
}

const isList = (value: readonly Json[] | JsonObject): value is readonly Json[] =>
  Array.isArray(value);
