import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export interface Account {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

export interface S3Double {
  readonly url: string;
  /** Bodies by `/bucket/key`. */
  readonly objects: ReadonlyMap<string, string>;
  /** Status and code of every answer. */
  readonly answers: readonly string[];
  /** From now on every request is answered so. */
  fail(status: number, code: string): void;
}

export interface Signed {
  readonly method: string;
  /** With the query, as it is sent. */
  readonly path: string;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signedHeaders: readonly string[];
}

const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

/** As AWS's documentation of Signature Version 4 for S3 says ("Signature Calculations for the Authorization Header"). */
export function signatureOf(
  { method, path, headers, signedHeaders }: Signed,
  { secretAccessKey, region }: Account,
): string {
  const [route = '', query = ''] = path.split('?');
  const canonical = [
    method,
    route,
    query.split('&').sort().join('&'),
    ...signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n');
  const time = headers['x-amz-date'] ?? '';
  const day = time.slice(0, 8);
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = ['s3', 'aws4_request'].reduce<Buffer>(
    hmac,
    hmac(hmac(`AWS4${secretAccessKey}`, day), region),
  );
  return hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
}

const mostSkewMs = 900_000;

function refusal(request: IncomingMessage, body: Buffer, account: Account): string | undefined {
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const [, credential, names = '', signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  const time = headers['x-amz-date'] ?? '';
  const at = Date.parse(
    time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
  );
  const scope = `${time.slice(0, 8)}/${account.region}/s3/aws4_request`;
  if (credential !== `${account.accessKeyId}/${scope}`) return 'InvalidAccessKeyId';
  if (!(Math.abs(Date.now() - at) < mostSkewMs)) return 'RequestTimeTooSkewed';
  const signedHeaders = names.split(';');
  for (const name of ['host', 'x-amz-content-sha256', 'x-amz-date'])
    if (!signedHeaders.includes(name)) return 'AccessDenied';
  if (headers['x-amz-content-sha256'] !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const signed = { method: request.method ?? '', path: request.url ?? '', headers, signedHeaders };
  return signatureOf(signed, account) === signature ? undefined : 'SignatureDoesNotMatch';
}

/** Keeps what is put into it, where the request is signed by the account. */
export async function startS3Double(t: TestContext, account: Account): Promise<S3Double> {
  const objects = new Map<string, string>();
  const answers: string[] = [];
  let failure: readonly [number, string] | undefined;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const refused = refusal(request, body, account);
    const [status, code] = failure ?? (refused === undefined ? [200, 'OK'] : [403, refused]);
    answers.push(`${status} ${code}`);
    if (status === 200) objects.set(request.url ?? '', body.toString());
    response.writeHead(status, { 'Content-Type': 'application/xml' });
    response.end(status === 200 ? '' : `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    answers,
    fail(status, code) {
      failure = [status, code];
    },
  };
}
