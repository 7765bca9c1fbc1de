import assert from 'node:assert/strict';
import { until } from '../support/until.ts';
import type { Answer, Api } from './api.ts';
import type { Content } from './content.ts';
import type { Shown } from './oracle.ts';

/** A queued image that takes any bytes; gives its id. */
export async function newImage(api: Api): Promise<string> {
  const answer = await api.json('POST', '/v2/images', {
    name: 'under fault',
    disk_format: 'raw',
    container_format: 'bare',
  });
  assert.equal(statusOf(answer), 201);
  return (bodyOf(answer) as Shown).id;
}

export async function shownImage(api: Api, id: string): Promise<Shown> {
  const answer = await api.json('GET', `/v2/images/${id}`);
  assert.equal(statusOf(answer), 200);
  return bodyOf(answer) as Shown;
}

/** Resolves once the image is queued again; rejects when it is not within what P2 allows. */
export async function queuedAgain(api: Api, id: string, timeoutMs: number): Promise<void> {
  const queued = async () => (await shownImage(api, id)).status === 'queued';
  await until(`image ${id} to be queued`, queued, { timeoutMs });
}

/** Active with exactly these bytes, by its record and by download. */
export async function assertHolds(api: Api, id: string, content: Content): Promise<void> {
  const { status, size, checksum, os_hash_value } = await shownImage(api, id);
  assert.deepEqual(
    { status, size, checksum, os_hash_value },
    {
      status: 'active',
      size: content.size,
      checksum: content.md5,
      os_hash_value: content.sha512,
    },
  );
  const answer = await api.json('GET', `/v2/images/${id}/file`);
  assert.equal(statusOf(answer), 200);
  assert.ok(answer.kind === 'answered' && answer.body.equals(content.bytes()), 'other bytes');
}

/** The status of an answer, or why there is none. */
export const statusOf = (answer: Answer): number | string =>
  answer.kind === 'answered'
    ? answer.status
    : answer.kind === 'unknown'
      ? answer.why
      : 'no connection';

export const bodyOf = (answer: Answer): unknown =>
  answer.kind === 'answered' ? JSON.parse(String(answer.body)) : undefined;

/** As if sent over a network: in pieces, with pauses. */
export const slowly = (content: Content, lastsMs = 500, chunked = false) => ({
  bytes: content.bytes(),
  chunked,
  pieces: 10,
  pauseMs: lastsMs / 10,
});
