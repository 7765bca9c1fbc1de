import { expectNoBody } from '../body.ts';
import type { ImageSchema } from '../wire/image-schema.ts';
import { schemaDocuments } from '../wire/schema-documents.ts';
import type { GatewayRouter } from './routes.ts';

/** JSON Schema of what the API speaks (reference, section 18). */
export function schemaRoutes(router: GatewayRouter, { schema }: { schema: ImageSchema }): void {
  for (const [name, document] of schemaDocuments(schema))
    router.get(`/v2/schemas/${name}`, async (ctx) => {
      expectNoBody(ctx.req);
      ctx.body = document;
    });
}
