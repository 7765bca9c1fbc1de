import type { OutgoingHttpHeaders } from 'node:http';
import { type Asked, exchange } from './exchange.ts';
import type { Reply } from './reply.ts';

export const patchType = 'application/openstack-images-v2.1-json-patch';
export const oldPatchType = 'application/openstack-images-v2.0-json-patch';

export interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value?: unknown;
}

/** One caller's way to the endpoint. Paths begin with `/`; images are named by id. */
export interface Client {
  /** As the caller, and else as told. */
  send(method: string, path: string, asked?: Asked): Promise<Reply>;
  get(path: string, headers?: OutgoingHttpHeaders): Promise<Reply>;
  delete(path: string): Promise<Reply>;
  /** With a JSON body, or without one. */
  post(path: string, body?: unknown): Promise<Reply>;
  put(path: string, body?: unknown): Promise<Reply>;
  show(image: string): Promise<Reply>;
  patch(image: string, ...operations: readonly Operation[]): Promise<Reply>;
  upload(image: string, bytes: Uint8Array, headers?: OutgoingHttpHeaders): Promise<Reply>;
  stage(image: string, bytes: Uint8Array, headers?: OutgoingHttpHeaders): Promise<Reply>;
  download(image: string, headers?: OutgoingHttpHeaders): Promise<Reply>;
}

/** `noted` hears the id of every image that the caller made. */
export function clientOf(
  base: string,
  token: string | undefined,
  noted: (image: string) => void,
): Client {
  const send: Client['send'] = async (method, path, asked = {}) => {
    const headers = { ...(token === undefined ? {} : { 'X-Auth-Token': token }), ...asked.headers };
    const reply = await exchange(base, method, path, { ...asked, headers });
    if (method === 'POST' && /^(\/v2(\.\d+)?)?\/images$/.test(path) && reply.status === 201)
      noted(String(reply.json().id));
    return reply;
  };
  const withJson =
    (method: string) =>
    (path: string, body?: unknown): Promise<Reply> =>
      send(
        method,
        path,
        body === undefined
          ? {}
          : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) },
      );
  const bytesTo =
    (part: 'file' | 'stage'): Client['upload'] =>
    (image, bytes, headers = {}) =>
      send('PUT', `/v2/images/${image}/${part}`, {
        headers: { 'Content-Type': 'application/octet-stream', ...headers },
        body: bytes,
      });
  return {
    send,
    get: (path, headers = {}) => send('GET', path, { headers }),
    delete: (path) => send('DELETE', path),
    post: withJson('POST'),
    put: withJson('PUT'),
    show: (image) => send('GET', `/v2/images/${image}`),
    patch: (image, ...operations) =>
      send('PATCH', `/v2/images/${image}`, {
        headers: { 'Content-Type': patchType },
        body: JSON.stringify(operations),
      }),
    upload: bytesTo('file'),
    stage: bytesTo('stage'),
    download: (image, headers = {}) => send('GET', `/v2/images/${image}/file`, { headers }),
  };
}

export const set = (name: string, value: unknown): Operation => ({
  op: 'replace',
  path: `/${name}`,
  value,
});
export const add = (name: string, value: unknown): Operation => ({
  op: 'add',
  path: `/${name}`,
  value,
});
export const remove = (name: string): Operation => ({ op: 'remove', path: `/${name}` });
