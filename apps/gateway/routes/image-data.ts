import { setTimeout as delay } from 'node:timers/promises';
import type { Access } from '../../../domain/image/access.ts';
import { Refused } from '../../../domain/refused.ts';
import { ObjectMissing, type Store } from '../../../domain/store.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { Images } from '../../../projections/images/images.ts';
import { expectNoBody } from '../body.ts';
import { HttpError } from '../http-error.ts';
import { type ByteRange, contentRangeOf, rangeOf } from '../range.ts';
import { sendBytes } from '../send-bytes.ts';
import type { Uploads } from '../upload.ts';
import { parametersOf } from '../wire/query-string.ts';
import { imageIdOf } from './image-id.ts';
import { visibleImage } from './images.ts';
import type { GatewayRouter, Handler } from './routes.ts';

const lookAgainMs = 250;

/** Where bytes lie: stores by the ids that operators give them. */
export interface Stores {
  readonly byId: ReadonlyMap<string, Store>;
  readonly defaultId: string;
}

/** The bytes of an image in and out (reference, section 8). */
export function imageDataRoutes(
  router: GatewayRouter,
  {
    uploads,
    images,
    access,
    stores,
    logger,
    countBytes,
  }: {
    uploads: Uploads;
    images: Pick<Images, 'show'>;
    access: Access;
    stores: Stores;
    logger: Logger;
    countBytes: (bytes: number) => void;
  },
): void {
  router.put('/v2/images/:imageId/file', async (ctx) => {
    if (ctx.headers['content-type'] !== 'application/octet-stream')
      throw new HttpError(415, 'The Content-Type of image data must be application/octet-stream.');
    const declaredSize = declaredSizeOf(ctx);
    const store = ctx.get('X-Image-Meta-Store') || stores.defaultId;
    if (!stores.byId.has(store)) throw new HttpError(400, `There is no store named ${store}.`);
    await uploads.upload(ctx.call, imageIdOf(ctx), ctx, { declaredSize, store });
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
    if (parametersOf(ctx.querystring).some(([name]) => name === 'prefer'))
      throw new HttpError(400, 'Stores cannot be preferred: there is only one.');
    ctx.status = 204;
    const { checksum, size } = record;
    const [location] = record.locations;
    const part = partOf(ctx, size ?? 0);
    if (location === undefined || size === null) return;
    const { store, key: storeKey } = location;
    const object = await opened(stores, store, storeKey);
    if (object === undefined) {
      // Bytes of a deleted image may go before the read model shows that it is deleted.
      await delay(lookAgainMs);
      await visibleImage({ images, access }, imageIdOf(ctx), ctx.call);
      logger.error({ requestId: ctx.call.requestId, storeKey }, 'the bytes of an image are gone');
      return;
    }
    try {
      const { start, end } = part ?? { start: 0, end: size };
      ctx.status = part === undefined ? 200 : 206;
      ctx.set('Content-Type', 'application/octet-stream');
      if (checksum !== null) ctx.set('Content-MD5', checksum);
      if (part !== undefined) ctx.set('Content-Range', `bytes ${start}-${end - 1}/${size}`);
      ctx.length = end - start;
      ctx.respond = false;
      await sendBytes(object, { start, end }, ctx.res, countBytes);
      ctx.res.end();
    } finally {
      await object.close();
    }
  });
}

/** Bytes that the client announces; 0 says nothing (reference, section 23, "Zero-byte upload"). */
function declaredSizeOf(ctx: Parameters<Handler>[0]): number | null {
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

/** Undefined where the store has nothing under the key. */
async function opened(stores: Stores, storeId: string, storeKey: string) {
  const store = stores.byId.get(storeId);
  if (store === undefined)
    throw new HttpError(503, `The image lies in the store ${storeId}, which is not configured.`);
  try {
    return await store.open(storeKey);
  } catch (error) {
    if (!(error instanceof ObjectMissing)) throw error;
    return undefined;
  }
}
