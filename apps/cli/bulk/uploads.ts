import { openAsBlob } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Api, type Body, Refusal } from './api.ts';
import type { ImportDocument, ItemDocument } from './documents.ts';
import { isOver, nameOf } from './documents.ts';

/** Gives the bytes of what an import waits for; undefined for what is not to be had here. */
export type OpenSource = (label: string) => Promise<(() => Promise<Body>) | undefined>;

const path = '/bulk/v1/imports';
const atOnce = 4;
const lookEveryMs = 500;
const mostLooked = 50;
const triesPerFile = 5;

/** Files of this machine. */
export const openFile: OpenSource = async (label) => {
  const blob = await openAsBlob(label).catch(() => undefined);
  return blob && (async () => blob);
};

/** The service says what it waits for, and could say any file of this machine: it gets only what the manifest names. */
export function onlyNamed(sources: readonly string[], open: OpenSource): OpenSource {
  const named = new Set(sources);
  return async (label) => (named.has(`upload:${label}`) ? open(label) : undefined);
}

/**
 * Uploads what an import waits for, as its images come about, until it is over or the signal aborts. What is broken off is
 * uploaded whole again; what is there is not.
 */
export async function uploadFiles(
  api: Api,
  importId: string,
  open: OpenSource,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const running = new Map<number, Promise<void>>();
  const tries = new Map<number, number>();

  const upload = async (item: ItemDocument): Promise<void> => {
    const body = await open(item.source);
    if (body === undefined) {
      tries.set(item.item, triesPerFile);
      say(`${nameOf(item)}: ${item.source} is not here`);
      return;
    }
    await api.send(`/v2/images/${item.image}/file`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/octet-stream' },
      body,
      signal,
    });
  };

  const tried = async (item: ItemDocument): Promise<void> => {
    tries.set(item.item, (tries.get(item.item) ?? 0) + 1);
    try {
      await upload(item);
    } catch (error) {
      if (!signal.aborted) say(`${nameOf(item)}: ${(error as Error).message}`);
      if (error instanceof Refusal && error.status < 500 && error.status !== 409)
        tries.set(item.item, triesPerFile);
    }
  };

  while (!signal.aborted) {
    const shown = await api
      .json<ImportDocument>(`${path}/${importId}`, { signal })
      .catch(() => undefined);
    if (shown !== undefined && isOver(shown)) break;
    const { items } = await api
      .json<{ readonly items: readonly ItemDocument[] }>(
        `${path}/${importId}/items?status=pending,fetching&limit=${mostLooked}`,
        { signal },
      )
      .catch(() => ({ items: [] }));
    for (const item of items) {
      const isTried = (tries.get(item.item) ?? 0) >= triesPerFile;
      if (!item.uploaded || isTried || running.has(item.item) || running.size >= atOnce) continue;
      if (!(await isQueued(api, item.image, signal))) continue;
      running.set(
        item.item,
        tried(item).finally(() => running.delete(item.item)),
      );
    }
    await delay(lookEveryMs, undefined, { signal }).catch(() => {});
  }
  await Promise.all(running.values());
}

const isQueued = (api: Api, imageId: string, signal: AbortSignal): Promise<boolean> =>
  api.json<{ readonly status: string }>(`/v2/images/${imageId}`, { signal }).then(
    ({ status }) => status === 'queued',
    () => false,
  );
