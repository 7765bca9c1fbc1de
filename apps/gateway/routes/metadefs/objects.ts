import { expectNoBody, jsonBody } from '../../body.ts';
import { objectDocument } from '../../wire/metadef-documents.ts';
import { objectFrom } from '../../wire/metadef-requests.ts';
import type { GatewayRouter } from '../routes.ts';
import {
  definitionIn,
  type MetadefPorts,
  nameIn,
  namespaceIn,
  namespacePath,
  visibleNamespace,
} from './ports.ts';

/** Objects of a namespace (reference, section 19.2). */
export function objectRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { access, commands } = ports;
  const all = `${namespacePath}/objects`;
  const one = `${all}/:name`;
  const kind = 'object';

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'get_metadef_objects');
    const shown = access.allows('get_metadef_object', record, ctx.call.caller)
      ? record.objects
      : [];
    ctx.body = {
      objects: shown.map((object) => objectDocument(name, object)),
      schema: 'v2/schemas/metadefs/objects', // without the slash, as the original has it
    };
  });

  router.post(all, async (ctx) => {
    const definition = objectFrom(await jsonBody(ctx));
    const namespace = namespaceIn(ctx);
    const record = await commands.performAndShow(ctx.call, {
      type: 'AddDefinition',
      namespace,
      kind,
      definition,
    });
    ctx.status = 201;
    ctx.body = objectDocument(namespace, definitionIn(record, kind, definition.name));
  });

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'get_metadef_object');
    ctx.body = objectDocument(name, definitionIn(record, kind, nameIn(ctx)));
  });

  router.put(one, async (ctx) => {
    const definition = objectFrom(await jsonBody(ctx));
    const namespace = namespaceIn(ctx);
    const record = await commands.performAndShow(ctx.call, {
      type: 'ChangeDefinition',
      namespace,
      kind,
      name: nameIn(ctx),
      definition,
    });
    ctx.body = objectDocument(namespace, definitionIn(record, kind, definition.name));
  });

  router.delete(one, async (ctx) => {
    expectNoBody(ctx.req);
    const named = { namespace: namespaceIn(ctx), name: nameIn(ctx) };
    await commands.perform(ctx.call, { type: 'RemoveDefinition', kind, ...named });
    ctx.status = 204;
  });
}
