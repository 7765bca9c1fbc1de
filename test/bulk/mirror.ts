import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requirePackage } from '../support/packages.ts';

/** In the first cluster, behind the header and all of its extensions: no reader looks there. */
const freeOffset = 2_048;

/** A server of small images, each another real qcow2, that counts what is asked of it. */
export interface Mirror {
  readonly port: number;
  readonly url: (index: number) => string;
  readonly md5: (index: number) => string;
  readonly bytesEach: number;
  /** Requests for an image, by when they came (milliseconds since 1970). */
  readonly requests: (index: number) => readonly number[];
  readonly total: () => number;
  stop(): Promise<void>;
}

export async function startMirror(): Promise<Mirror> {
  const template = await smallQcow2();
  const asked = new Map<number, number[]>();
  let total = 0;
  const imageAt = (index: number): Buffer => {
    const bytes = Buffer.from(template);
    bytes.write(`image ${index}`, freeOffset);
    return bytes;
  };
  const server = createServer((request, response) => {
    const [, digits] = /^\/(\d+)\.qcow2$/.exec(request.url ?? '') ?? [];
    if (digits === undefined) {
      response.writeHead(404).end();
      return;
    }
    const index = Number(digits);
    asked.set(index, [...(asked.get(index) ?? []), Date.now()]);
    total += 1;
    const bytes = imageAt(index);
    const headers = {
      'Content-Type': 'application/octet-stream',
      'Accept-Ranges': 'bytes',
      ETag: `"${index}"`,
    };
    const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (from === '') {
      response.writeHead(200, { ...headers, 'Content-Length': bytes.length }).end(bytes);
      return;
    }
    const [first, last] = [Number(from), to === '' ? bytes.length - 1 : Number(to)];
    const part = bytes.subarray(first, last + 1);
    const range = `bytes ${first}-${first + part.length - 1}/${bytes.length}`;
    response
      .writeHead(206, { ...headers, 'Content-Range': range, 'Content-Length': part.length })
      .end(part);
  });
  server.keepAliveTimeout = 30_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: (index) => `http://127.0.0.1:${port}/${index}.qcow2`,
    md5: (index) => createHash('md5').update(imageAt(index)).digest('hex'),
    bytesEach: template.length,
    requests: (index) => asked.get(index) ?? [],
    total: () => total,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function smallQcow2(): Promise<Buffer> {
  requirePackage('qemu-utils');
  const directory = await mkdtemp(join(tmpdir(), 'daguerre-mirror-'));
  const path = join(directory, 'small.qcow2');
  try {
    const options = ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', path, '1M'];
    await promisify(execFile)('qemu-img', options);
    return await readFile(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}
