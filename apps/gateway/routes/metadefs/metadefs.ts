import { expectNoBody } from '../../body.ts';
import { metadefSchemas } from '../../wire/metadef-schemas.ts';
import type { GatewayRouter } from '../routes.ts';
import { namespaceRoutes } from './namespaces.ts';
import { objectRoutes } from './objects.ts';
import type { MetadefPorts } from './ports.ts';
import { propertyRoutes } from './properties.ts';
import { resourceTypeRoutes } from './resource-types.ts';
import { metadefTagRoutes } from './tags.ts';

/** Metadata definitions: a catalogue that describes properties, and is never enforced (reference, section 19). */
export function metadefRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  namespaceRoutes(router, ports);
  objectRoutes(router, ports);
  propertyRoutes(router, ports);
  metadefTagRoutes(router, ports);
  resourceTypeRoutes(router, ports);
  for (const [name, document] of metadefSchemas)
    router.get(`/v2/schemas/metadefs/${name}`, async (ctx) => {
      expectNoBody(ctx.req);
      ctx.body = document;
    });
}
