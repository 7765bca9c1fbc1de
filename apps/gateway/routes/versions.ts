import type { Middleware } from 'koa';
import type { BaseUrl } from '../base-url.ts';

/** Minor versions that a site without a cache offers, in the order of the reference, section 2. */
const minorsOf = (hasSeveralStores: boolean): readonly number[] =>
  hasSeveralStores
    ? [15, 13, 12, 11, 10, 9, 8, 17, 7, 6, 5, 4, 3, 2, 1, 0]
    : [15, 9, 17, 7, 6, 5, 4, 3, 2, 1, 0];
const currentMinor = 17;

/** No part of the Image API: they have versions of their own. */
const ours: ReadonlySet<string> = new Set(['events', 'webhooks', 'history', 'audit', 'bulk']);

/**
 * Finds the version in the `Accept` header or the path's first segment, and lets `/v2.N/…` go on as `/v2/…`.
 * `/versions` and every unknown version are answered here, with what there is and without asking who calls.
 */
export const versions = (baseUrl: BaseUrl, hasSeveralStores: boolean): Middleware => {
  const minors = minorsOf(hasSeveralStores);
  const offered: ReadonlySet<string> = new Set(['v2', ...minors.map((minor) => `v2.${minor}`)]);
  return async (ctx, next) => {
    const choices = (status: 200 | 300): void => {
      ctx.status = status;
      ctx.body = { versions: minors.map((minor) => entry(minor, `${baseUrl(ctx.req)}/v2/`)) };
    };
    const [, first = ''] = ctx.path.split('/', 2);
    if (first === 'versions') return choices(200);
    if (ours.has(first)) return next();
    const accepted = /^application\/vnd\.openstack\.images-([^\s;,]*)/.exec(ctx.get('Accept'))?.[1];
    if (!offered.has(accepted ?? first)) return choices(300);
    ctx.path = accepted === undefined ? `/v2${ctx.path.slice(first.length + 1)}` : `/v2${ctx.path}`;
    await next();
  };
};

const entry = (minor: number, href: string) => ({
  id: `v2.${minor}`,
  status: minor === currentMinor ? 'CURRENT' : 'SUPPORTED',
  links: [{ rel: 'self', href }],
});
