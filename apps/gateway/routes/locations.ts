import { randomUUID } from 'node:crypto';
import type { Access, Caller, Rule } from '../../../domain/image/access.ts';
import { Refused } from '../../../domain/refused.ts';
import type { Stores } from '../../../infra/store/stores.ts';
import type { Images } from '../../../projections/images/images.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import { expectNoBody, jsonBody } from '../body.ts';
import type { Call } from '../call.ts';
import { type Commands, unknownImage } from '../commands.ts';
import { isHttpUrl, type Locator } from '../locator.ts';
import { additionFrom } from '../wire/locations.ts';
import { locationDocument } from '../wire/places.ts';
import { imageIdOf } from './image-id.ts';
import type { GatewayRouter } from './routes.ts';

/** Locations beside PATCH, for services (reference, sections 14.2 and 14.3). */
export function locationRoutes(
  router: GatewayRouter,
  {
    access,
    commands,
    images,
    locator,
    stores,
  }: {
    access: Access;
    commands: Commands;
    images: Pick<Images, 'show'>;
    locator: Locator;
    stores: Stores;
  },
): void {
  const isService = (caller: Caller): boolean =>
    caller.roles.includes('service') || access.isAdmin(caller);

  /** Of who may only do this, and not see the image: services have no other role. */
  const imageFor = async (rule: Rule, imageId: string, { caller }: Call): Promise<ImageRecord> => {
    access.requireProjectScope(rule, caller);
    const record = await images.show(imageId);
    if (record === undefined) throw unknownImage(imageId);
    access.authorize(rule, record, caller);
    return record;
  };

  router.post('/v2/images/:imageId/locations', async (ctx) => {
    const { url, metadata, validation } = additionFrom(await jsonBody(ctx));
    const { caller } = ctx.call;
    const imageId = imageIdOf(ctx);
    const record = await imageFor('add_image_location', imageId, ctx.call);
    if (!locator.servesUrls || !(isHttpUrl(url) || isService(caller)))
      throw new Refused(
        'not-allowed',
        'It is not allowed to add locations of this kind.',
        'add_image_location',
      );
    // Before anything is said of the URL; it is decided again on the image's stream.
    if (record.status !== 'queued')
      throw new Refused(
        'wrong-status',
        `It's not allowed to add locations if the image is ${record.status}.`,
      );
    const store = locator.storeFor(url).id;
    await commands.perform(ctx.call, imageId, {
      type: 'RequestLocation',
      caller,
      uploadId: randomUUID(),
      method: { name: 'location', locationId: randomUUID(), store, url, metadata, validation },
      stores: [store],
      allStoresMustSucceed: true,
    });
    ctx.status = 202;
    ctx.body = '';
  });

  router.get('/v2/images/:imageId/locations', async (ctx) => {
    expectNoBody(ctx.req);
    const record = await imageFor('fetch_image_location', imageIdOf(ctx), ctx.call);
    ctx.body = record.locations.map((location) => locationDocument(location, stores));
  });
}
