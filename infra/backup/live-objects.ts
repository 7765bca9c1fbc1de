import { getHashes } from 'node:crypto';
import type { EventLog } from '../../domain/event-log.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import { evolve } from '../../domain/image/evolve.ts';
import { absent, type Content, ownCopies } from '../../domain/image/state.ts';
import { upcast } from '../../domain/image/upcast.ts';
import type { LiveObject } from './objects.ts';

const prefix = 'image-';

/** The image whose stream it is. */
export const imageOfStream = (streamId: string): string | undefined =>
  streamId.startsWith(prefix) ? streamId.slice(prefix.length) : undefined;

/** The bytes that an image has by the log up to a position; none once it was deleted. */
export async function liveObjectsOf(
  log: Pick<EventLog, 'readStream'>,
  imageId: string,
  upTo: bigint,
): Promise<readonly LiveObject[]> {
  const { events } = await log.readStream(`${prefix}${imageId}`);
  const state = events
    .filter(({ position }) => position <= upTo)
    .map((event) => upcast(event) as unknown as ImageEvent)
    .reduce(evolve, absent);
  if (!('content' in state)) return [];
  const { content } = state;
  const storesOf = new Map<string, string[]>();
  for (const { key, store } of ownCopies(state))
    storesOf.set(key, [...(storesOf.get(key) ?? []), store]);
  return [...storesOf].map(([key, stores]) => ({
    imageId,
    key,
    stores,
    size: content.size,
    digest: digestOf(content),
  }));
}

function digestOf({ digests, algorithm }: Content): LiveObject['digest'] {
  for (const name of [algorithm, 'sha512', 'sha256', 'md5']) {
    const value = name === null ? undefined : digests[name];
    if (name !== null && value !== undefined && getHashes().includes(name))
      return { algorithm: name, value };
  }
  return null;
}
