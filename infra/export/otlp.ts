import type { Format } from '../../domain/export/format.ts';
import { otlpRequest } from '../../domain/export/otlp.ts';
import type { OtlpTarget } from '../config/export-targets.ts';
import { requireTaken } from './http.ts';
import { Refused, type Sink } from './sink.ts';
import { tlsMaterial } from './tls.ts';
import { webClient } from './web-client.ts';

/** OTLP over HTTP, in JSON (OpenTelemetry Protocol 1.x, "OTLP/HTTP"). */
export async function otlpSink(
  target: OtlpTarget,
  { document }: Format,
  region: string,
): Promise<Sink> {
  const { headers, 'max-records': most, 'timeout-ms': timeoutMs } = target;
  const client = webClient(logsUrl(target.url), { ...(await tlsMaterial(target)), timeoutMs });
  return {
    most,
    reach: undefined,
    async send(records) {
      const body = JSON.stringify(otlpRequest(records, { documentOf: document, region }));
      const answer = await client.post({ 'Content-Type': 'application/json', ...headers }, body);
      requireTaken(answer);
      requireAllTaken(answer.body);
    },
    async idle() {},
    hangUp: client.close,
    async close() {
      client.close();
    },
  };
}

/** An address without a path is a collector's own, as of `OTEL_EXPORTER_OTLP_ENDPOINT`. */
function logsUrl(given: string): string {
  const url = new URL(given);
  if (url.pathname === '/') url.pathname = '/v1/logs';
  return url.href;
}

/** A success may be one of some records only, which is told in passing ("Partial Success"). */
function requireAllTaken(body: string): void {
  const { rejectedLogRecords = 0, errorMessage = '' } = partialSuccessIn(body);
  if (Number(rejectedLogRecords) > 0)
    throw new Refused(`took all but ${rejectedLogRecords} of the records: ${errorMessage}`);
}

function partialSuccessIn(body: string): {
  readonly rejectedLogRecords?: string | number;
  readonly errorMessage?: string;
} {
  try {
    return JSON.parse(body)?.partialSuccess ?? {};
  } catch {
    return {}; // nothing, or protobuf: a success without words
  }
}
