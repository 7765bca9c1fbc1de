import { expectNoBody } from '../../body.ts';
import { associationDocument, resourceTypeDocument } from '../../wire/metadef-documents.ts';
import { associationFrom } from '../../wire/metadef-requests.ts';
import type { GatewayRouter } from '../routes.ts';
import { addRoute, removeRoute, type Spoken } from './definitions.ts';
import { type MetadefPorts, namespaceIn, namespacePath, visibleNamespace } from './ports.ts';

const spoken: Spoken<'association'> = {
  kind: 'association',
  definitionFrom: associationFrom,
  documentOf: associationDocument,
};

/** Resource types, and for which of them a namespace is (reference, section 19.5). */
export function resourceTypeRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { access, metadefs } = ports;
  const all = `${namespacePath}/resource_types`;

  router.get('/v2/metadefs/resource_types', async (ctx) => {
    expectNoBody(ctx.req);
    access.authorizeOwn('list_metadef_resource_types', ctx.call.caller);
    const types = await metadefs.resourceTypes();
    ctx.body = { resource_types: types.map(resourceTypeDocument) };
  });

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const { caller } = ctx.call;
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'list_metadef_resource_types');
    const shown = access.allows('get_metadef_resource_type', record, caller)
      ? record.associations
      : [];
    ctx.body = { resource_type_associations: shown.map(associationDocument) };
  });

  addRoute(router, all, ports, spoken);
  removeRoute(router, `${all}/:name`, ports, spoken.kind);
}
