import { expectNoBody, jsonBody } from '../../body.ts';
import { associationDocument, resourceTypeDocument } from '../../wire/metadef-documents.ts';
import { associationFrom } from '../../wire/metadef-requests.ts';
import type { GatewayRouter } from '../routes.ts';
import {
  definitionIn,
  type MetadefPorts,
  nameIn,
  namespaceIn,
  namespacePath,
  visibleNamespace,
} from './ports.ts';

/** Resource types, and for which of them a namespace is (reference, section 19.5). */
export function resourceTypeRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { access, commands, metadefs } = ports;
  const all = `${namespacePath}/resource_types`;
  const kind = 'association';

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

  router.post(all, async (ctx) => {
    const definition = associationFrom(await jsonBody(ctx));
    const record = await commands.performAndShow(ctx.call, {
      type: 'AddDefinition',
      namespace: namespaceIn(ctx),
      kind,
      definition,
    });
    ctx.status = 201;
    ctx.body = associationDocument(definitionIn(record, kind, definition.name));
  });

  router.delete(`${all}/:name`, async (ctx) => {
    expectNoBody(ctx.req);
    const named = { namespace: namespaceIn(ctx), name: nameIn(ctx) };
    await commands.perform(ctx.call, { type: 'RemoveDefinition', kind, ...named });
    ctx.status = 204;
  });
}
