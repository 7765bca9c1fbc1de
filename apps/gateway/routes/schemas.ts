import { expectNoBody } from '../body.ts';
import { schemaDocuments } from '../wire/schema-documents.ts';
import type { GatewayRouter } from './routes.ts';

/** JSON Schema of what the API speaks (reference, section 18). */
export function schemaRoutes(router: GatewayRouter): void {
  for (const [name, document] of schemaDocuments)
    router.get(`/v2/schemas/${name}`, async (ctx) => {
      expectNoBody(ctx.req);
      ctx.body = document;
    });
}
