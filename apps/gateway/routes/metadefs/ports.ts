import type { Rule } from '../../../../domain/image/access.ts';
import { type MetadefAccess, unknownNamespace } from '../../../../domain/metadef/access.ts';
import type { Kind } from '../../../../domain/metadef/content.ts';
import { unknownDefinition } from '../../../../domain/metadef/namespace.ts';
import type { Metadefs } from '../../../../projections/metadefs/metadefs.ts';
import {
  type Dated,
  type NamespaceRecord,
  partOf,
} from '../../../../projections/metadefs/record.ts';
import type { BaseUrl } from '../../base-url.ts';
import type { Call } from '../../call.ts';
import type { MetadefCommands } from '../../metadef-commands.ts';
import { percentDecoded } from '../../text.ts';
import type { Handler } from '../routes.ts';

/** What the routes of metadata definitions work with. */
export interface MetadefPorts {
  readonly commands: MetadefCommands;
  readonly metadefs: Metadefs;
  readonly access: MetadefAccess;
  readonly baseUrl: BaseUrl;
}

export const namespacesPath = '/v2/metadefs/namespaces';
export const namespacePath = `${namespacesPath}/:namespace`;

type Context = Parameters<Handler>[0];

/** What the path calls the namespace. Names may hold slashes and percent signs, escaped. */
export const namespaceIn = (ctx: Context): string => partIn(ctx, 0);
/** What the path calls the thing in it. */
export const nameIn = (ctx: Context): string => partIn(ctx, 1);

function partIn(ctx: Context, index: number): string {
  const part: unknown = ctx.captures?.[index];
  if (typeof part !== 'string') throw new Error(`the route has no part ${index}`);
  return percentDecoded(part, 'The URL');
}

/** A namespace that the caller may see and about which it may ask this; 404 where it may not see it. */
export async function visibleNamespace(
  { metadefs, access }: Pick<MetadefPorts, 'metadefs' | 'access'>,
  name: string,
  { caller }: Call,
  ...rules: readonly [Rule, ...Rule[]]
): Promise<NamespaceRecord> {
  access.requireProjectScope(rules[0], caller);
  const record = await metadefs.show(name);
  if (record === undefined) throw unknownNamespace(name);
  for (const rule of rules) access.authorize(rule, record, caller);
  return record;
}

/** One thing in a namespace; 404 where there is none of this name. */
export function definitionIn(record: NamespaceRecord, kind: Kind, name: string): Dated {
  const found = record[partOf[kind]].find((one) => one.name === name);
  if (found !== undefined) return found;
  throw unknownDefinition(kind, name, record.namespace);
}
