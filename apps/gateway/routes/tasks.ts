import type { Access } from '../../../domain/image/access.ts';
import type { Images } from '../../../projections/images/images.ts';
import { expectNoBody } from '../body.ts';
import { imageIdOf } from './image-id.ts';
import { visibleImage } from './images.ts';
import type { GatewayRouter } from './routes.ts';

/** The tasks of one image (reference, section 10.1). Nothing but imports makes tasks. */
export function taskRoutes(
  router: GatewayRouter,
  ports: { images: Pick<Images, 'show'>; access: Access },
): void {
  router.get('/v2/images/:imageId/tasks', async (ctx) => {
    expectNoBody(ctx.req);
    await visibleImage(ports, imageIdOf(ctx), ctx.call);
    ctx.body = { tasks: [] };
  });
}
