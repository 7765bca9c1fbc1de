import type { ServerResponse } from 'node:http';
import { type StoredObject, StoreUnavailable } from '../../domain/store.ts';
import { ClientGone, silenceMs } from './client-gone.ts';
import type { ByteRange } from './range.ts';

const bufferBytes = 1024 * 1024;

/**
 * Writes part of a stored object as the body of a response. Two buffers take turns: one is filled while the other goes
 * out, and none is used again before its write is done (measured at three times the rate of a pipe). Rejects with
 * `ClientGone`, or when the object ends early; the response can then only be cut off. `leaves` hears of bytes before any of
 * them can be on their way, `count` once they are.
 */
export async function sendBytes(
  object: StoredObject,
  { start, end }: ByteRange,
  response: ServerResponse,
  count: (bytes: number) => void,
  idleMs = silenceMs,
  leaves: (bytes: number) => void = () => {},
): Promise<void> {
  response.setTimeout(idleMs); // destroys the connection when not a byte of it could leave for so long
  const size = Math.min(bufferBytes, end - start);
  let filling = Buffer.allocUnsafe(size);
  let leaving = end - start > size ? Buffer.allocUnsafe(size) : filling;
  let offset = start;
  const fill = (): Promise<number> =>
    object.read(filling.subarray(0, Math.min(size, end - offset)), offset);

  let reading = fill();
  try {
    while (offset < end) {
      const bytes = await reading;
      if (bytes === 0)
        throw new StoreUnavailable(`the stored object ends at ${offset}, not at ${end}`, undefined);
      offset += bytes;
      [filling, leaving] = [leaving, filling];
      const full = leaving.subarray(0, bytes);
      reading = offset < end ? fill() : Promise.resolve(0);
      leaves(bytes);
      await written(response, full);
      count(bytes);
    }
  } finally {
    await reading.catch(() => {}); // nobody may close the object under a read
  }
}

function written(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      reject(new ClientGone('the client hung up during a download'));
      return;
    }
    const closed = (error?: unknown): void =>
      reject(new ClientGone('the client hung up during a download', error));
    response.once('close', closed);
    response.write(chunk, (error) => {
      response.off('close', closed);
      if (error) closed(error);
      else resolve();
    });
  });
}
