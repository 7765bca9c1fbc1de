import { expectNoBody } from '../body.ts';
import type { Commands } from '../commands.ts';
import { checkValue } from '../wire/fields.ts';
import type { ImageSchema } from '../wire/image-schema.ts';
import { imageIdOf } from './image-id.ts';
import { type GatewayRouter, parameter } from './routes.ts';

/** One tag of an image (reference, section 12). */
export function tagRoutes(
  router: GatewayRouter,
  { commands, schema }: { commands: Commands; schema: ImageSchema },
): void {
  router.put('/v2/images/:imageId/tags/:tag', async (ctx) => {
    expectNoBody(ctx.req);
    const tag = parameter(ctx, 'tag');
    checkValue(schema, 'tags', [tag]);
    const { caller } = ctx.call;
    await commands.perform(ctx.call, imageIdOf(ctx), { type: 'AddTag', caller, tag });
    ctx.status = 204;
  });

  router.delete('/v2/images/:imageId/tags/:tag', async (ctx) => {
    expectNoBody(ctx.req);
    const tag = parameter(ctx, 'tag');
    const { caller } = ctx.call;
    await commands.perform(ctx.call, imageIdOf(ctx), { type: 'RemoveTag', caller, tag });
    ctx.status = 204;
  });
}
