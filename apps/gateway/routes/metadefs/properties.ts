import { unknownDefinition } from '../../../../domain/metadef/namespace.ts';
import type { NamespaceRecord } from '../../../../projections/metadefs/record.ts';
import { expectNoBody } from '../../body.ts';
import { propertiesDocument, propertyDocument } from '../../wire/metadef-documents.ts';
import { propertyFrom } from '../../wire/metadef-requests.ts';
import { lastOf, parametersOf } from '../../wire/query-string.ts';
import type { GatewayRouter } from '../routes.ts';
import { addRoute, changeRoute, removeRoute, type Spoken } from './definitions.ts';
import {
  definitionIn,
  type MetadefPorts,
  nameIn,
  namespaceIn,
  namespacePath,
  visibleNamespace,
} from './ports.ts';

const spoken: Spoken<'property'> = {
  kind: 'property',
  definitionFrom: propertyFrom,
  documentOf: propertyDocument,
};

/** Properties of a namespace (reference, section 19.3). */
export function propertyRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { access } = ports;
  const all = `${namespacePath}/properties`;
  const one = `${all}/:name`;
  const { kind } = spoken;

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'get_metadef_properties');
    ctx.body = { properties: propertiesDocument(record.properties) };
  });

  addRoute(router, all, ports, spoken);

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

  changeRoute(router, one, ports, spoken);
  removeRoute(router, one, ports, kind);
}

/** The name of a property that a resource type knows by the prefix of its association; 404 where it does not. */
function withoutPrefix(record: NamespaceRecord, given: string, type: string): string {
  const { prefix } = definitionIn(record, 'association', type).definition;
  if (typeof prefix === 'string' && prefix !== '' && given.startsWith(prefix))
    return given.slice(prefix.length);
  throw unknownDefinition('property', given, record.namespace);
}
