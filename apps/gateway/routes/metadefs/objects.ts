import { expectNoBody } from '../../body.ts';
import { objectDocument } from '../../wire/metadef-documents.ts';
import { objectFrom } from '../../wire/metadef-requests.ts';
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

const spoken: Spoken<'object'> = {
  kind: 'object',
  definitionFrom: objectFrom,
  documentOf: (object, namespace) => objectDocument(namespace, object),
};

/** Objects of a namespace (reference, section 19.2). */
export function objectRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { access } = ports;
  const all = `${namespacePath}/objects`;
  const one = `${all}/:name`;

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

  addRoute(router, all, ports, spoken);

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'get_metadef_object');
    ctx.body = objectDocument(name, definitionIn(record, spoken.kind, nameIn(ctx)));
  });

  changeRoute(router, one, ports, spoken);
  removeRoute(router, one, ports, spoken.kind);
}
