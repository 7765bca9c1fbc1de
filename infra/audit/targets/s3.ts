import { AwsClient } from 'aws4fetch';
import { sha256 } from '../sha256.ts';
import { type CheckpointTarget, nameOf, newestName } from './target.ts';

export interface S3Options {
  /** `s3://BUCKET/PREFIX` */
  readonly url: string;
  /** Default: Amazon's of the region. */
  readonly endpoint?: string | undefined;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const timeoutMs = 15_000;

/** A bucket, best one that keeps old versions, or locks objects. Requests are signed (AWS Signature Version 4), body and all. */
export function s3Target({ url, endpoint, region, ...access }: S3Options): CheckpointTarget {
  const { host: bucket, pathname } = new URL(url);
  const base = endpoint ?? `https://s3.${region}.amazonaws.com`;
  const prefix = pathname.replace(/^\/|\/$/g, '');
  const client = new AwsClient({ ...access, region, service: 's3', retries: 0 });

  const put = async (name: string, body: string): Promise<void> => {
    const path = [bucket, prefix, name].filter((part) => part !== '').join('/');
    const response = await client.fetch(`${base.replace(/\/$/, '')}/${path}`, {
      method: 'PUT',
      body,
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        'X-Amz-Content-Sha256': Buffer.from(sha256(Buffer.from(body))).toString('hex'),
      },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer = await response.text();
    if (response.ok) return;
    const [, code] = /<Code>([^<]+)<\/Code>/.exec(answer) ?? [];
    throw new Error(`${name}: status ${response.status}${code === undefined ? '' : `, ${code}`}`);
  };

  return {
    name: url,
    async send({ size, note }) {
      await put(nameOf(size), note);
      await put(newestName, note);
    },
    close() {},
  };
}
