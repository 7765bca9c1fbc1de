import type { Middleware } from 'koa';
import { maxNameLength } from '../../domain/metadef/content.ts';
import { Refused } from '../../domain/refused.ts';
import { MarkerInvisible } from '../../projections/images/images.ts';
import type { CallContext } from './call.ts';
import type { Refusal, Refusals } from './refusals.ts';
import type { GatewayRouter } from './routes/routes.ts';
import { isStorable, percentDecoded } from './text.ts';
import { isUuid } from './wire/image-schema.ts';

/** Has every refusal by a rule recorded before it is answered, whatever the answer makes of it. */
export const recordingRefusals =
  (router: GatewayRouter, refusals: Pick<Refusals, 'record'>): Middleware<object, CallContext> =>
  async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const route = router.match(ctx.path, ctx.method).pathAndMethod.at(-1)?.path;
      const refusal = refusalFrom(error, `${ctx.method} ${route}`, targetIn(ctx.path));
      if (refusal !== undefined) await refusals.record(ctx.call, refusal);
      throw error;
    }
  };

function refusalFrom(error: unknown, action: string, target: string | null): Refusal | undefined {
  if (error instanceof MarkerInvisible)
    return { action, rule: 'get_image', target: error.marker, code: 'image-unknown' };
  if (!(error instanceof Refused) || error.rule === undefined) return undefined;
  return { action, rule: error.rule, target, code: error.code };
}

const lookingBack = /^\/(history\/v1|audit\/v1\/proofs)\//;

/** The id of an image, a webhook, a bulk import or a project, or the name of a namespace of metadata definitions. */
function targetIn(path: string): string | null {
  if (lookingBack.test(path))
    return targetIn(
      path.replace(lookingBack, '/v2/').replace('/metadefs/', '/metadefs/namespaces/'),
    );
  const [, , collection, part = '', namespace] = path.split('/', 5);
  if (collection === 'images' && isUuid(part)) return part.toLowerCase();
  if (collection === 'projects') return percentDecoded(part, 'The URL');
  if (collection === 'v1' && ['endpoints', 'imports'].includes(part) && isUuid(namespace ?? ''))
    return namespace?.toLowerCase() ?? null;
  if (collection !== 'metadefs' || part !== 'namespaces' || namespace === undefined) return null;
  const name = percentDecoded(namespace, 'The URL');
  return isStorable(name) ? [...name].slice(0, maxNameLength).join('') : null;
}
