import type { Definition, Kind } from '../../../../domain/metadef/content.ts';
import type { Dated } from '../../../../projections/metadefs/record.ts';
import { expectNoBody, jsonBody } from '../../body.ts';
import type { GatewayRouter } from '../routes.ts';
import { definitionIn, type MetadefPorts, nameIn, namespaceIn } from './ports.ts';

/** How requests and answers say a definition of one kind. */
export interface Spoken<Of extends Kind = Kind> {
  readonly kind: Of;
  definitionFrom(document: unknown): Definition;
  documentOf(definition: Dated, namespace: string): object;
}

type Ports = Pick<MetadefPorts, 'commands'>;

/** POST of one definition, with a body. */
export function addRoute(
  router: GatewayRouter,
  path: string,
  { commands }: Ports,
  { kind, definitionFrom, documentOf }: Spoken,
): void {
  router.post(path, async (ctx) => {
    const definition = definitionFrom(await jsonBody(ctx));
    const namespace = namespaceIn(ctx);
    const record = await commands.performAndShow(ctx.call, {
      type: 'AddDefinition',
      namespace,
      kind,
      definition,
    });
    ctx.status = 201;
    ctx.body = documentOf(definitionIn(record, kind, definition.name), namespace);
  });
}

/** PUT of one definition, which may bring another name. */
export function changeRoute(
  router: GatewayRouter,
  path: string,
  { commands }: Ports,
  { kind, definitionFrom, documentOf }: Spoken<Exclude<Kind, 'association'>>,
): void {
  router.put(path, async (ctx) => {
    const definition = definitionFrom(await jsonBody(ctx));
    const namespace = namespaceIn(ctx);
    const record = await commands.performAndShow(ctx.call, {
      type: 'ChangeDefinition',
      namespace,
      kind,
      name: nameIn(ctx),
      definition,
    });
    ctx.body = documentOf(definitionIn(record, kind, definition.name), namespace);
  });
}

export function removeRoute(
  router: GatewayRouter,
  path: string,
  { commands }: Ports,
  kind: Kind,
): void {
  router.delete(path, async (ctx) => {
    expectNoBody(ctx.req);
    const named = { namespace: namespaceIn(ctx), name: nameIn(ctx) };
    await commands.perform(ctx.call, { type: 'RemoveDefinition', kind, ...named });
    ctx.status = 204;
  });
}
