import { unknownDefinition } from '../../../../domain/metadef/namespace.ts';
import type { NamespaceRecord } from '../../../../projections/metadefs/record.ts';
import { expectNoBody, jsonBody } from '../../body.ts';
import { propertiesDocument, propertyDocument } from '../../wire/metadef-documents.ts';
import { propertyFrom } from '../../wire/metadef-requests.ts';
import { lastOf, parametersOf } from '../../wire/query-string.ts';
import type { GatewayRouter } from '../routes.ts';
import {
  definitionIn,
  type MetadefPorts,
  nameIn,
  namespaceIn,
  namespacePath,
  visibleNamespace,
} from './ports.ts';

/** Properties of a namespace (reference, section 19.3). */
export function propertyRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { access, commands } = ports;
  const all = `${namespacePath}/properties`;
  const one = `${all}/:name`;
  const kind = 'property';

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'get_metadef_properties');
    ctx.body = { properties: propertiesDocument(record.properties) };
  });

  router.post(all, async (ctx) => {
    const definition = propertyFrom(await jsonBody(ctx));
    const namespace = namespaceIn(ctx);
    const record = await commands.performAndShow(ctx.call, {
      type: 'AddDefinition',
      namespace,
      kind,
      definition,
    });
    ctx.status = 201;
    ctx.body = propertyDocument(definitionIn(record, kind, definition.name));
  });

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    const record = await visibleNamespace(
      ports,
      namespaceIn(ctx),
      ctx.call,
      'get_metadef_property',
    );
    const type = lastOf(parametersOf(ctx.querystring), 'resource_type');
    if (type === undefined || type === '') {
      ctx.body = propertyDocument(definitionIn(record, kind, nameIn(ctx)));
      return;
    }
    access.authorize('get_metadef_resource_type', record, ctx.call.caller);
    const name = withoutPrefix(record, nameIn(ctx), type);
    ctx.body = propertyDocument(definitionIn(record, kind, name));
  });

  router.put(one, async (ctx) => {
    const definition = propertyFrom(await jsonBody(ctx));
    const record = await commands.performAndShow(ctx.call, {
      type: 'ChangeDefinition',
      namespace: namespaceIn(ctx),
      kind,
      name: nameIn(ctx),
      definition,
    });
    ctx.body = propertyDocument(definitionIn(record, kind, definition.name));
  });

  router.delete(one, async (ctx) => {
    expectNoBody(ctx.req);
    const named = { namespace: namespaceIn(ctx), name: nameIn(ctx) };
    await commands.perform(ctx.call, { type: 'RemoveDefinition', kind, ...named });
    ctx.status = 204;
  });
}

/** The name of a property that a resource type knows by the prefix of its association; 404 where it does not. */
function withoutPrefix(record: NamespaceRecord, given: string, type: string): string {
  const { prefix } = definitionIn(record, 'association', type).definition;
  if (typeof prefix === 'string' && prefix !== '' && given.startsWith(prefix))
    return given.slice(prefix.length);
  throw unknownDefinition('property', given, record.namespace);
}
