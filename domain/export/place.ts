import type { Json } from '../json.ts';

/** Where in the log a document is of, and of which event. */
export interface Place {
  readonly position: bigint;
  readonly eventId: string;
}

const tag = /^position\?value=(\d{1,19})$/;

/** Read back from a document of any of our formats; undefined for anything else. */
export function placeIn(document: Json): Place | undefined {
  if (typeof document !== 'object' || document === null || !('id' in document)) return undefined;
  const { id, position, tags } = document;
  if (typeof id !== 'string') return undefined;
  const said = typeof position === 'string' ? position : inTags(tags);
  return said !== undefined && /^\d{1,19}$/.test(said)
    ? { position: BigInt(said), eventId: id }
    : undefined;
}

const inTags = (tags: Json | undefined): string | undefined =>
  Array.isArray(tags)
    ? tags.map((one) => tag.exec(String(one))?.[1]).find((position) => position !== undefined)
    : undefined;
