import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { hashBytes } from '../../../domain/audit/merkle.ts';
import {
  hashesOf,
  type TileName,
  tileFrom,
  tileWidth,
  widthAt,
} from '../../../domain/audit/tiles.ts';
import type { EventLog } from '../../../domain/event-log.ts';
import { entryHash } from '../../../infra/audit/kept-tree.ts';
import { eventsBetween } from '../../../infra/audit/live-events.ts';
import { TreeIncomplete } from '../../../infra/audit/proofs.ts';
import { entryText } from '../../../infra/audit/sha256.ts';
import type { TreeStore } from '../../../infra/audit/tree-store.ts';
import type { GatewayContext } from '../call.ts';
import { HttpError } from '../http-error.ts';

/** The log is not what its tree says, at a leaf of the tree. */
export class EntryDiffers extends Error {
  constructor(index: number) {
    super(`the log does not have at index ${index} what the audit tree has`);
    this.name = 'EntryDiffers';
  }
}

const noTile = (): HttpError => new HttpError(404, 'There is no such tile.');

/** What a path asks for of the tree that was signed last; 404 where that has none, or another width. */
export function tileAsked(
  level: string,
  path: string,
  signedSize: number,
): TileName & { readonly width: number } {
  const asked = tileFrom(path);
  if (asked === undefined || !/^([1-5]?\d|6[0-3])$/.test(level)) throw noTile();
  const name = { level: Number(level), index: asked.index };
  if (widthAt(name, signedSize) < asked.width) throw noTile();
  return { ...name, width: asked.width };
}

export async function tileBytes(
  store: Pick<TreeStore, 'tiles'>,
  { width, ...name }: TileName & { readonly width: number },
): Promise<Buffer> {
  const [tile] = await store.tiles([name]);
  const bytes = Buffer.from(tile?.hashes.subarray(0, width * hashBytes) ?? []);
  if (bytes.length < width * hashBytes) throw new TreeIncomplete();
  return bytes;
}

/**
 * Entries as tlog-tiles bundles them, each behind its length in two bytes, from the log itself. Rejects with
 * `EntryDiffers` rather than give what does not have the leaf's hash.
 */
export async function entryBundle(
  { log, store }: { log: Pick<EventLog, 'readAll'>; store: Pick<TreeStore, 'leafTile'> },
  { index, width }: { readonly index: number; readonly width: number },
): Promise<Buffer> {
  const tile = await store.leafTile(index);
  const before = index === 0 ? undefined : await store.leafTile(index - 1);
  const last = tile?.positions[width - 1];
  if (tile === undefined || last === undefined) throw new TreeIncomplete();
  const leaves = hashesOf(tile.hashes, 0, width);
  const parts: Buffer[] = [];
  let at = 0;
  for await (const event of eventsBetween(log, before?.positions.at(-1) ?? 0n, last)) {
    const entry = Buffer.from(entryText(event));
    const leaf = leaves[at];
    if (leaf === undefined || !Buffer.from(entryHash(entry)).equals(leaf))
      throw new EntryDiffers(index * tileWidth + at);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(entry.length);
    parts.push(length, entry);
    at += 1;
  }
  if (at < width) throw new EntryDiffers(index * tileWidth + at);
  return Buffer.concat(parts);
}

/** Neither a tile nor a bundle of a name ever changes; compressed where the client takes that. */
export async function answerImmutable(
  ctx: GatewayContext,
  bytes: Buffer,
  { isText }: { readonly isText: boolean },
): Promise<void> {
  ctx.set('Cache-Control', 'private, max-age=31536000, immutable');
  ctx.set('Vary', 'Accept-Encoding');
  ctx.type = 'application/octet-stream';
  const isGzip =
    isText && /(^|,)\s*gzip\s*(,|$|;\s*q=(1|0\.\d*[1-9]))/.test(ctx.get('Accept-Encoding'));
  if (isGzip) ctx.set('Content-Encoding', 'gzip');
  ctx.body = isGzip ? await promisify(gzip)(bytes) : bytes;
}
