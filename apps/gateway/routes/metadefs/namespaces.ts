import { expectNoBody, jsonBody } from '../../body.ts';
import {
  namespaceDocument,
  namespacesPage,
  namespacePath as pathOf,
  wholeNamespace,
} from '../../wire/metadef-documents.ts';
import { namespaceQueryFrom } from '../../wire/metadef-queries.ts';
import { namespaceFrom } from '../../wire/metadef-requests.ts';
import { lastOf, parametersOf } from '../../wire/query-string.ts';
import type { GatewayRouter } from '../routes.ts';
import {
  type MetadefPorts,
  namespaceIn,
  namespacePath,
  namespacesPath,
  visibleNamespace,
} from './ports.ts';

/** Namespaces: create, list, show, replace, delete, empty (reference, section 19.1). */
export function namespaceRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { commands, metadefs, access, baseUrl } = ports;

  router.get(namespacesPath, async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    const { caller } = ctx.call;
    const viewer = { projectId: caller.projectId, isAdmin: access.isAdmin(caller) };
    const query = namespaceQueryFrom(parameters, viewer);
    access.authorizeOwn('get_metadef_namespaces', caller);
    access.authorizeOwn('list_metadef_resource_types', caller);
    if (query.marker !== undefined)
      await visibleNamespace(ports, query.marker, ctx.call, 'get_metadef_namespace');
    const page = await metadefs.list(query);
    const shown = page.filter((one) => access.allows('get_metadef_namespace', one, caller));
    ctx.body = namespacesPage({ page, shown }, parameters, query.limit);
  });

  router.post(namespacesPath, async (ctx) => {
    const content = namespaceFrom(await jsonBody(ctx), ctx.call.caller.projectId);
    const record = await commands.create(ctx.call, content);
    ctx.status = 201;
    ctx.set('Location', baseUrl(ctx.req) + inHeader(pathOf(record.namespace)));
    ctx.body = wholeNamespace(record);
  });

  router.get(namespacePath, async (ctx) => {
    expectNoBody(ctx.req);
    const record = await visibleNamespace(
      ports,
      namespaceIn(ctx),
      ctx.call,
      'get_metadef_namespace',
      'list_metadef_resource_types',
      'get_metadef_objects',
      'get_metadef_properties',
      'get_metadef_tags',
    );
    const type = lastOf(parametersOf(ctx.querystring), 'resource_type');
    const association = record.associations.find(({ name }) => name === type);
    ctx.body = wholeNamespace(record, String(association?.definition.prefix ?? ''));
  });

  router.put(namespacePath, async (ctx) => {
    const { caller } = ctx.call;
    const { attributes } = namespaceFrom(await jsonBody(ctx), caller.projectId);
    const record = await commands.performAndShow(ctx.call, {
      type: 'UpdateNamespace',
      namespace: namespaceIn(ctx),
      attributes,
    });
    ctx.body = namespaceDocument(record);
  });

  router.delete(namespacePath, async (ctx) => {
    expectNoBody(ctx.req);
    await commands.perform(ctx.call, { type: 'DeleteNamespace', namespace: namespaceIn(ctx) });
    ctx.status = 204;
  });

  for (const [part, kind] of [
    ['objects', 'object'],
    ['properties', 'property'],
    ['tags', 'tag'],
  ] as const)
    router.delete(`${namespacePath}/${part}`, async (ctx) => {
      expectNoBody(ctx.req);
      const namespace = namespaceIn(ctx);
      await commands.perform(ctx.call, { type: 'RemoveDefinitions', namespace, kind });
      ctx.status = 204;
    });
}

/** As a header may carry it. */
const inHeader = (path: string): string => path.replace(/[^\x21-\x7e]+/g, encodeURIComponent);
