import { type Answer, type Asked, ask } from '../../support/http.ts';

/** Speaks to several gateways in turn, request by request, as behind a proxy without any affinity. */
export interface AlternatingClient {
  /** The next request in turn. */
  send(method: string, path: string, asked?: Sent): Promise<Answer>;
  /** The same request to each of them. */
  each(method: string, path: string, asked?: Sent): Promise<readonly Answer[]>;
}

export interface Sent {
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly token?: string;
  readonly patch?: unknown;
}

export function alternating(urls: readonly string[], begin = 0): AlternatingClient {
  let turn = begin;
  return {
    send(method, path, asked) {
      const url = urls[turn % urls.length] ?? '';
      turn += 1;
      return sendTo(url, method, path, asked);
    },
    each: (method, path, asked) => Promise.all(urls.map((url) => sendTo(url, method, path, asked))),
  };
}

export function sendTo(
  url: string,
  method: string,
  path: string,
  { json, bytes, token, patch }: Sent = {},
): Promise<Answer> {
  const body: Asked['body'] =
    (bytes ?? (json ?? patch) === undefined) ? bytes : JSON.stringify(json ?? patch);
  const type =
    bytes !== undefined
      ? 'application/octet-stream'
      : patch !== undefined
        ? 'application/openstack-images-v2.1-json-patch'
        : 'application/json';
  return ask(url, path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': type }),
      ...(token === undefined ? {} : { 'X-Auth-Token': token }),
    },
    ...(body === undefined ? {} : { body }),
  });
}
