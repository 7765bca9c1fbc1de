import { expectNoBody } from '../body.ts';
import type { Commands } from '../commands.ts';
import { imageIdOf } from './image-id.ts';
import type { GatewayRouter } from './routes.ts';

const actions = { deactivate: 'DeactivateImage', reactivate: 'ReactivateImage' } as const;

/** Taking an image out of use and back (reference, section 11). */
export function actionRoutes(router: GatewayRouter, { commands }: { commands: Commands }): void {
  for (const [action, type] of Object.entries(actions))
    router.post(`/v2/images/:imageId/actions/${action}`, async (ctx) => {
      expectNoBody(ctx.req);
      await commands.perform(ctx.call, imageIdOf(ctx), { type, caller: ctx.call.caller });
      ctx.status = 204;
    });
}
