import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

/** An image as the API shows it, as far as tests look at it. */
export interface ShownImage {
  readonly id: string;
  readonly status: string;
  readonly size: number | null;
  readonly virtual_size: number | null;
  readonly os_hash_value: string | null;
  readonly [property: string]: unknown;
}

/** Calls that a test makes by the way, where it is not the client that is tested. Each throws on another status. */
export function imageApi(url: string) {
  const call = async (
    status: number,
    path: string,
    request: RequestInit = {},
  ): Promise<Response> => {
    const response = await fetch(`${url}/v2/${path}`, request);
    if (response.status === status) return response;
    throw new Error(
      `${request.method ?? 'GET'} ${path}: ${response.status}, not ${status}: ${await response.text()}`,
    );
  };
  const show = async (id: string): Promise<ShownImage> =>
    (await (await call(200, `images/${id}`)).json()) as ShownImage;
  return {
    call,
    show,
    async create(image: Readonly<Record<string, unknown>> = {}): Promise<string> {
      const body = JSON.stringify({ disk_format: 'raw', container_format: 'bare', ...image });
      const headers = { 'content-type': 'application/json' };
      const response = await call(201, 'images', { method: 'POST', body, headers });
      return ((await response.json()) as ShownImage).id;
    },
    /** Resolves when the image is active. */
    async upload(id: string, bytes: Uint8Array, status = 204): Promise<void> {
      const headers = { 'content-type': 'application/octet-stream' };
      await call(status, `images/${id}/file`, { method: 'PUT', body: bytes, headers });
    },
    async assertHolds(id: string, bytes: Uint8Array): Promise<void> {
      const shown = await show(id);
      assert.equal(shown.status, 'active');
      assert.equal(shown.os_hash_value, createHash('sha512').update(bytes).digest('hex'));
      const response = await call(200, `images/${id}/file`);
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes), `${id}: other bytes`);
    },
  };
}
