import type { Access } from '../../../domain/image/access.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { areSeveral, type NamedStore, type Stores } from '../../../infra/store/stores.ts';
import { expectNoBody } from '../body.ts';
import type { Commands } from '../commands.ts';
import { HttpError } from '../http-error.ts';
import { imageIdOf } from './image-id.ts';
import { type GatewayRouter, parameter } from './routes.ts';

/** Stores by name (reference, section 15). With one store there is nothing to choose between: 404. */
export function storeRoutes(
  router: GatewayRouter,
  { access, commands, stores }: { access: Access; commands: Commands; stores: Stores },
): void {
  const requireSeveral = (): void => {
    if (!areSeveral(stores))
      throw new HttpError(404, 'Multi backend is not supported at this site.');
  };

  const summary = ({ id, description, writer }: NamedStore): JsonObject => ({
    id,
    ...(description === '' ? {} : { description }),
    ...(id === stores.defaultId ? { default: 'true' } : {}),
    ...(writer === null ? { 'read-only': 'true' } : {}),
  });

  router.get('/v2/info/stores', async (ctx) => {
    expectNoBody(ctx.req);
    requireSeveral();
    ctx.body = { stores: stores.all.map(summary) };
  });

  router.get('/v2/info/stores/detail', async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeOwn('stores_info_detail', ctx.call.caller);
    requireSeveral();
    const detail = (store: NamedStore): JsonObject => {
      const { type, weight, properties } = store;
      return { ...summary(store), type, weight, properties };
    };
    ctx.body = { stores: stores.all.map(detail) };
  });

  router.delete('/v2/stores/:storeId/:imageId', async (ctx) => {
    expectNoBody(ctx.req);
    requireSeveral();
    const store = parameter(ctx, 'storeId');
    if (!stores.byId.has(store))
      throw new HttpError(409, `The selected store ${store} is not available on this site.`);
    const { caller } = ctx.call;
    const readable = [...stores.byId.keys()];
    const command = { type: 'RemoveCopy', caller, store, readable } as const;
    await commands.perform(ctx.call, imageIdOf(ctx), command);
    ctx.status = 204;
  });
}
