import { setTimeout as delay } from 'node:timers/promises';
import type { Access } from '../../../domain/image/access.ts';
import { Refused } from '../../../domain/refused.ts';
import type { StoredObject } from '../../../domain/store.ts';
import { areSeveral, type Stores } from '../../../infra/store/stores.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { Images } from '../../../projections/images/images.ts';
import { expectNoBody } from '../body.ts';
import { silenceMs } from '../client-gone.ts';
import { inReadOrder, useFirst } from '../copies.ts';
import type { DownloadRecorder } from '../downloads/record.ts';
import { HttpError } from '../http-error.ts';
import { visibleImage } from '../image-reads.ts';
import { type ByteRange, contentRangeOf, rangeOf } from '../range.ts';
import { sendBytes } from '../send-bytes.ts';
import type { Uploads } from '../upload.ts';
import { parametersOf } from '../wire/query-string.ts';
import { imageIdOf } from './image-id.ts';
import type { GatewayRouter, Handler } from './routes.ts';

const lookAgainMs = 250;

/** The bytes of an image in and out (reference, section 8). */
export function imageDataRoutes(
  router: GatewayRouter,
  {
    uploads,
    images,
    access,
    stores,
    downloads,
    logger,
    countBytes,
  }: {
    uploads: Uploads;
    images: Pick<Images, 'show'>;
    access: Access;
    stores: Stores;
    downloads: Pick<DownloadRecorder, 'begin'>;
    logger: Logger;
    countBytes: (bytes: number) => void;
  },
): void {
  /** As an upload would be refused, and if it would not, because the store is closed. */
  const refuseReadOnly = async (ctx: Parameters<Handler>[0], store: string): Promise<never> => {
    const record = await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    access.authorize('upload_image', record, ctx.call.caller);
    if (record.status !== 'queued')
      throw new Refused(
        'image-not-queued',
        `Image status transition from ${record.status} to saving is not allowed`,
      );
    throw new HttpError(410, `The store ${store} is read-only.`);
  };

  router.put('/v2/images/:imageId/file', async (ctx) => {
    requireOctets(ctx);
    const declaredSize = declaredSizeOf(ctx);
    const store = ctx.get('X-Image-Meta-Store') || stores.defaultId;
    const known = stores.byId.get(store);
    if (known === undefined) throw new HttpError(400, `There is no store named ${store}.`);
    if (known.writer === null) await refuseReadOnly(ctx, store);
    await uploads.upload(ctx.call, imageIdOf(ctx), ctx, {
      declaredSize,
      store,
      purpose: 'upload',
    });
    ctx.status = 204;
  });

  router.get('/v2/images/:imageId/file', async (ctx) => {
    expectNoBody(ctx.req);
    const record = await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    access.authorize('download_image', record, ctx.call.caller);
    if (record.status === 'deactivated' && !access.isAdmin(ctx.call.caller))
      throw new Refused(
        'not-allowed',
        'The requested image has been deactivated. Image data download is forbidden.',
        'download_image',
      );
    const preferred = preferredIn(ctx.querystring, stores);
    if (preferred !== undefined) access.authorize('download_from_store', record, ctx.call.caller);
    ctx.status = 204;
    const { checksum, size } = record;
    const part = partOf(ctx, size ?? 0);
    if (record.locations.length === 0 || size === null) return;
    const { requestId } = ctx.call;
    const locations = inReadOrder(record.locations, stores, preferred);
    const { start, end } = part ?? { start: 0, end: size };
    const recorded = await downloads.begin(ctx.call, record, { start, end });
    const send = async (object: StoredObject): Promise<void> => {
      ctx.status = part === undefined ? 200 : 206;
      ctx.set('Content-Type', 'application/octet-stream');
      if (checksum !== null) ctx.set('Content-MD5', checksum);
      if (part !== undefined) ctx.set('Content-Range', `bytes ${start}-${end - 1}/${size}`);
      ctx.length = end - start;
      ctx.respond = false;
      await sendBytes(object, { start, end }, ctx.res, countBytes, silenceMs, recorded.leaves);
      ctx.res.end();
    };
    const told = logger.child({ requestId });
    const isOver = (): boolean => ctx.res.headersSent;
    const sent = await useFirst({ locations, size }, stores, told, send, isOver).finally(
      recorded.ended,
    );
    if (sent) return;
    // Bytes of a deleted image may go before the read model shows that it is deleted.
    await delay(lookAgainMs);
    await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
    logger.error({ requestId, imageId: record.id }, 'the bytes of an image are gone');
  });
}

export function requireOctets(ctx: Parameters<Handler>[0]): void {
  if (ctx.headers['content-type'] !== 'application/octet-stream')
    throw new HttpError(415, 'The Content-Type of image data must be application/octet-stream.');
}

/** Bytes that the client announces; 0 says nothing (reference, section 23, "Zero-byte upload"). */
export function declaredSizeOf(ctx: Parameters<Handler>[0]): number | null {
  const given = ctx.get('X-OpenStack-Image-Size') || ctx.get('Content-Length');
  if (given === '') return null;
  if (!/^\d+$/.test(given.trim()))
    throw new HttpError(400, `X-OpenStack-Image-Size must be a number of bytes, not "${given}".`);
  return Number(given) || null;
}

function partOf(ctx: Parameters<Handler>[0], size: number): ByteRange | undefined {
  const range = ctx.get('Range');
  if (range !== '') return rangeOf(range, size);
  const contentRange = ctx.get('Content-Range');
  return contentRange === '' ? undefined : contentRangeOf(contentRange, size);
}

/** The stores that `prefer=one,two` names; undefined where there is no such parameter. */
function preferredIn(querystring: string, stores: Stores): readonly string[] | undefined {
  const given = parametersOf(querystring).filter(([name]) => name === 'prefer');
  if (given.length === 0) return undefined;
  if (!areSeveral(stores))
    throw new HttpError(400, 'Stores cannot be preferred: there is only one.');
  const ids = given.flatMap(([, value]) => value.split(',').map((id) => id.trim()));
  const unknown = ids.find((id) => !stores.byId.has(id));
  if (unknown !== undefined) throw new HttpError(400, `There is no store named ${unknown}.`);
  return ids;
}
