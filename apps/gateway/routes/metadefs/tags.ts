import { unknownDefinition } from '../../../../domain/metadef/namespace.ts';
import { expectNoBody, jsonBody } from '../../body.ts';
import { tagDocument } from '../../wire/metadef-documents.ts';
import { pageOf } from '../../wire/metadef-queries.ts';
import { tagFrom, tagsFrom } from '../../wire/metadef-requests.ts';
import { parametersOf } from '../../wire/query-string.ts';
import type { GatewayRouter } from '../routes.ts';
import { changeRoute, removeRoute, type Spoken } from './definitions.ts';
import {
  definitionIn,
  type MetadefPorts,
  nameIn,
  namespaceIn,
  namespacePath,
  visibleNamespace,
} from './ports.ts';

/** What the original takes for yes in a header. */
const yes: ReadonlySet<string> = new Set(['1', 't', 'true', 'on', 'y', 'yes']);

const spoken: Spoken<'tag'> = { kind: 'tag', definitionFrom: tagFrom, documentOf: tagDocument };

/** Tags of a namespace (reference, section 19.4). */
export function metadefTagRoutes(router: GatewayRouter, ports: MetadefPorts): void {
  const { commands } = ports;
  const all = `${namespacePath}/tags`;
  const one = `${all}/:name`;
  const { kind } = spoken;

  router.get(all, async (ctx) => {
    expectNoBody(ctx.req);
    const parameters = parametersOf(ctx.querystring);
    const name = namespaceIn(ctx);
    const record = await visibleNamespace(ports, name, ctx.call, 'get_metadef_tags');
    const page = pageOf(record.tags, parameters, (marker) => unknownDefinition(kind, marker, name));
    ctx.body = { tags: page.map((tag) => ({ name: tag.name })) };
  });

  router.post(all, async (ctx) => {
    const names = tagsFrom(await jsonBody(ctx));
    const append = yes.has(ctx.get('X-Openstack-Append').trim().toLowerCase());
    const namespace = namespaceIn(ctx);
    await commands.perform(ctx.call, { type: 'AddTags', namespace, names, append });
    ctx.status = 201;
    ctx.body = { tags: names.map((name) => ({ name })) };
  });

  router.get(one, async (ctx) => {
    expectNoBody(ctx.req);
    const record = await visibleNamespace(ports, namespaceIn(ctx), ctx.call, 'get_metadef_tag');
    ctx.body = tagDocument(definitionIn(record, kind, nameIn(ctx)));
  });

  router.post(one, async (ctx) => {
    expectNoBody(ctx.req);
    const definition = tagFrom({ name: nameIn(ctx) });
    const record = await commands.performAndShow(ctx.call, {
      type: 'AddDefinition',
      namespace: namespaceIn(ctx),
      kind,
      definition,
    });
    ctx.status = 201;
    ctx.body = tagDocument(definitionIn(record, kind, definition.name));
  });

  changeRoute(router, one, ports, spoken);
  removeRoute(router, one, ports, kind);
}
