import type { IncomingMessage } from 'node:http';

/** As an origin may be written; anything else in a `Host` header is not echoed. */
const hostPattern = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * Where clients reach the service, without a slash at the end: the configured endpoint, else what the request names.
 * `X-Forwarded-*` is not believed (the original ships so too): behind a proxy the endpoint is configured.
 */
export const baseUrlFrom =
  (publicEndpoint: string | undefined) =>
  (request: IncomingMessage): string => {
    if (publicEndpoint !== undefined) return publicEndpoint.replace(/\/+$/, '');
    const { host } = request.headers;
    if (host !== undefined && hostPattern.test(host)) return `http://${host}`;
    const { localAddress = '127.0.0.1', localPort, localFamily } = request.socket;
    return `http://${localFamily === 'IPv6' ? `[${localAddress}]` : localAddress}:${localPort}`;
  };

export type BaseUrl = ReturnType<typeof baseUrlFrom>;
