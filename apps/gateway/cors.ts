import type { Middleware } from 'koa';

/** The original's own lists (reference, section 1.2). */
const exposed = [
  'X-Image-Meta-Checksum',
  'X-Auth-Token',
  'X-Subject-Token',
  'X-Service-Token',
  'X-OpenStack-Request-ID',
];
const methods: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'PATCH']);
const requestHeaders: ReadonlySet<string> = new Set(
  [
    'Content-MD5',
    'X-Image-Meta-Checksum',
    'X-Storage-Token',
    'Accept-Encoding',
    'X-Auth-Token',
    'X-Identity-Status',
    'X-Roles',
    'X-Service-Catalog',
    'X-User-Id',
    'X-Tenant-Id',
    'X-OpenStack-Request-ID',
    // What oslo.middleware lets every service take.
    'Accept',
    'Accept-Language',
    'Content-Type',
    'Cache-Control',
    'Content-Language',
    'Expires',
    'Last-Modified',
    'Pragma',
  ].map((name) => name.toLowerCase()),
);
const maxAgeSeconds = 3600;

/**
 * Lets pages of the given origins (`https://host:port`, or `*`) use the API, as oslo.middleware does: OPTIONS is answered
 * 200 with nothing in it, whatever its path, and only for a preflight that may go on with the headers that say so. What
 * browsers are told of other answers is there before they are, since a download goes out by itself.
 */
export const cors =
  (origins: readonly string[]): Middleware =>
  async (ctx, next) => {
    const asked = ctx.get('Origin');
    const allowed =
      asked === '' ? undefined : [asked, '*'].find((origin) => origins.includes(origin));
    if (ctx.method !== 'OPTIONS') {
      if (allowed !== undefined) {
        ctx.set(answered(allowed));
        ctx.set('Access-Control-Expose-Headers', exposed.join(','));
      }
      return next();
    }
    ctx.status = 200;
    ctx.body = '';
    ctx.remove('Content-Type');
    const method = ctx.get('Access-Control-Request-Method');
    const headers = ctx
      .get('Access-Control-Request-Headers')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const mayGoOn =
      methods.has(method) && headers.every((name) => requestHeaders.has(name.toLowerCase()));
    if (allowed === undefined || !mayGoOn) return;
    ctx.set({
      ...answered(allowed),
      'Access-Control-Max-Age': String(maxAgeSeconds),
      'Access-Control-Allow-Methods': method,
    });
    if (headers.length > 0) ctx.set('Access-Control-Allow-Headers', headers.join(','));
  };

const answered = (origin: string) => ({
  Vary: 'Origin',
  'Access-Control-Allow-Origin': origin,
  'Access-Control-Allow-Credentials': 'true',
});
