import assert from 'node:assert/strict';
import type { OutgoingHttpHeaders } from 'node:http';
import { type Answer, ask } from '../../support/http.ts';

/** An image on the wire: every key that is no field of Glance is a custom property. */
export type Wire = Readonly<Record<string, unknown>> & { readonly id: string };

export interface RawClient {
  /** A request with nothing but what is told; throws unless it is answered with `status`. */
  call(
    status: number,
    method: string,
    path: string,
    body?: string | Uint8Array,
    headers?: OutgoingHttpHeaders,
  ): Promise<Answer>;
  /** The same with a JSON body. */
  send(status: number, method: string, path: string, document: unknown): Promise<Answer>;
  patch(status: number, id: string, ...operations: readonly unknown[]): Promise<Answer>;
  create(document: Readonly<Record<string, unknown>>): Promise<Wire>;
  show(id: string): Promise<Wire>;
  upload(id: string, bytes: Uint8Array, headers?: OutgoingHttpHeaders): Promise<void>;
}

export const patchType = 'application/openstack-images-v2.1-json-patch';
export const octets = { 'Content-Type': 'application/octet-stream' };

/** A client that speaks plain HTTP; `usual` headers go with every request. */
export function rawClient(url: string, token: string, usual: OutgoingHttpHeaders): RawClient {
  const call: RawClient['call'] = async (status, method, path, body, headers = {}) => {
    const answer = await ask(url, path, {
      method,
      headers: { ...usual, 'X-Auth-Token': token, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer;
  };
  const json = (type: string) => ({ 'Content-Type': type });
  return {
    call,
    send: (status, method, path, document) =>
      call(status, method, path, JSON.stringify(document), json('application/json')),
    patch: (status, id, ...operations) =>
      call(status, 'PATCH', `/v2/images/${id}`, JSON.stringify(operations), json(patchType)),
    create: async (document) =>
      (
        await call(201, 'POST', '/v2/images', JSON.stringify(document), json('application/json'))
      ).json() as Wire,
    show: async (id) => (await call(200, 'GET', `/v2/images/${id}`)).json() as Wire,
    async upload(id, bytes, headers = {}) {
      const answer = await call(204, 'PUT', `/v2/images/${id}/file`, bytes, {
        ...octets,
        ...headers,
      });
      assert.equal(answer.text, '');
    },
  };
}
