import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pieces } from './bytes.ts';
import { drained, type Send, sender } from './load.ts';

const server = fileURLToPath(new URL('./roofline-server.js', import.meta.url));
const warmUpBytes = 128 * 1024 ** 2;

/**
 * What an upload can be here at most, in MB/s (10^6 bytes): a process that does nothing but receive a body over HTTP,
 * write it durably to a file in `directory`, and take md5 and sha512 of it, each on a thread of its own. By the client
 * that uploads to the services, on the same cores as with those.
 */
export async function measureRoofline(directory: string, size: number): Promise<number> {
  const child = fork(server, [directory]);
  try {
    const [port] = await once(child, 'message');
    const { send, close } = sender(`http://127.0.0.1:${port}`, 1);
    await put(send, Math.min(size, warmUpBytes));
    const began = performance.now();
    await put(send, size);
    const ms = performance.now() - began;
    close();
    return size / 1000 / ms;
  } finally {
    child.kill();
  }
}

async function put(send: Send, size: number): Promise<void> {
  const body = async (sink: NodeJS.WritableStream): Promise<void> => {
    for (const piece of pieces(size)) if (!sink.write(piece)) await once(sink, 'drain');
  };
  await drained(await send(200, 'PUT', '/', body, { 'Content-Length': String(size) }));
}
