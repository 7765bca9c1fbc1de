import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Caller, Callers } from './callers.ts';
import { type Client, clientOf, set } from './client.ts';
import type { Offer } from './features.ts';
import type { Document, Reply } from './reply.ts';

/** An endpoint as one case meets it: each caller's client, and images of its own. */
export interface Site {
  readonly base: string;
  readonly admin: Client;
  readonly demo: Client;
  readonly alt: Client;
  readonly viewer: Client;
  /** Only for cases that need the feature `service role`. */
  readonly service: Client;
  /** Without a token. */
  readonly anonymous: Client;
  /** With a token that nobody was given. */
  readonly forged: Client;
  readonly projects: Readonly<Record<'admin' | 'demo' | 'alt', string>>;
  readonly offer: Offer;
  /** A URL whose bytes the endpoint may fetch; only for cases that need the feature `source`. */
  readonly source: string;
  /** A word that no other case of any run uses. */
  unique(): string;
  /** The id of a new queued image, raw and bare and demo's unless told otherwise. */
  image(attributes?: Document, by?: Client): Promise<string>;
  /** The id of a new image with data. */
  active(attributes?: Document, bytes?: Uint8Array, by?: Client): Promise<string>;
  /** Asks until the answer is as wanted; the last answer's own complaint when it never is. */
  eventually(ask: () => Promise<Reply>, wanted: (reply: Reply) => void): Promise<Reply>;
}

/** Bytes of no disk format. */
export const someBytes: Uint8Array = Buffer.from(
  'Not a disk, but bytes all the same.\n'.repeat(30),
);

const eventuallyMs = 30_000;
const askEveryMs = 100;

export interface Endpoint {
  readonly base: string;
  readonly callers: Callers;
  readonly source: string | undefined;
}

/** A site for one case, and what removes the images that it made; that rejects naming what it had to leave. */
export function siteOf(
  { base, callers, source }: Endpoint,
  offer: Offer,
): { readonly site: Site; readonly clean: () => Promise<void> } {
  const made: string[] = [];
  const as = (caller: Caller | undefined): Client =>
    clientOf(base, caller?.token, (image) => made.push(image));
  const admin = as(callers.admin);
  const demo = as(callers.demo);
  const image: Site['image'] = async (attributes = {}, by = demo) => {
    const body = { disk_format: 'raw', container_format: 'bare', ...attributes };
    return String((await by.post('/v2/images', body)).is(201).json().id);
  };
  const site: Site = {
    base,
    admin,
    demo,
    alt: as(callers.alt),
    viewer: as(callers.viewer),
    service: as(callers.service),
    anonymous: as(undefined),
    forged: as({ token: 'no-such-token', projectId: '' }),
    projects: {
      admin: callers.admin.projectId,
      demo: callers.demo.projectId,
      alt: callers.alt.projectId,
    },
    offer,
    source: source ?? '',
    unique: () => `conformance-${randomUUID()}`,
    image,
    async active(attributes, bytes = someBytes, by = demo) {
      const id = await image(attributes, by);
      (await by.upload(id, bytes)).is(204);
      return id;
    },
    async eventually(ask, wanted) {
      const end = performance.now() + eventuallyMs;
      for (;;) {
        const reply = await ask();
        try {
          wanted(reply);
          return reply;
        } catch (error) {
          if (performance.now() > end) throw error;
        }
        await pause(askEveryMs);
      }
    },
  };
  return {
    site,
    async clean() {
      const left: string[] = [];
      for (const id of made) if (!(await removed(admin, id))) left.push(id);
      if (left.length > 0) throw new Error(`images that could not be deleted: ${left.join(', ')}`);
    },
  };
}

async function removed(admin: Client, id: string): Promise<boolean> {
  const isGone = ({ status }: Reply): boolean => status === 204 || status === 404;
  if (isGone(await admin.delete(`/v2/images/${id}`))) return true;
  await admin.patch(id, set('protected', false));
  return isGone(await admin.delete(`/v2/images/${id}`));
}
