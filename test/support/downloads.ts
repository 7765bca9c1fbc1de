import { createHash, randomUUID } from 'node:crypto';
import type { Expected } from '../../domain/image/events.ts';
import { digestThreads } from '../../infra/digests/digest-threads.ts';
import { type Downloaded, type DownloadOptions, download } from '../../infra/download/download.ts';
import { addressGuard, type ReachRules, type Resolve } from '../../infra/net/address-guard.ts';
import { memoryStaging } from '../../infra/staging/memory.ts';

/** Lets downloads reach this machine's `port`, by address or by whatever name `resolve` knows. */
export function guardFor(port: number, rules: Partial<ReachRules> = {}, resolve?: Resolve) {
  const open: ReachRules = {
    allowedHosts: [],
    disallowedHosts: [],
    allowedPorts: [port],
    disallowedPorts: [],
    allowedCidrs: ['127.0.0.1/32'],
    disallowedCidrs: [],
  };
  return addressGuard({ ...open, ...rules }, resolve);
}

export const expecting = (some: Partial<Expected>): Expected => ({
  digests: {},
  size: null,
  sums: null,
  ...some,
});

export const hexOf = (bytes: Uint8Array, algorithm = 'sha256'): string =>
  createHash(algorithm).update(bytes).digest('hex');

export interface Fetched extends Downloaded {
  readonly bytes: Buffer;
}

/** Downloads of one test file, into memory. */
export function downloads(port: number) {
  const threads = digestThreads({ count: 1 });
  const staging = memoryStaging();
  const resuming = async (
    key: { imageId: string; uploadId: string },
    url: string,
    options: Partial<DownloadOptions> = {},
    headers?: Readonly<Record<string, string>>,
  ): Promise<Fetched> => {
    const into = await staging.resume(key);
    const signal = new AbortController().signal;
    const quick = { stallMs: 20_000, patienceMs: 20_000, segmentBytes: 64 * 1024, firstPauseMs: 1 };
    const guard = guardFor(port);
    const source = headers === undefined ? { url } : { url, headers: async () => headers };
    try {
      const done = await download(source, into, { guard, threads, signal, ...quick, ...options });
      const bytes = Buffer.alloc(done.size);
      await into.read(bytes, 0);
      return { ...done, bytes };
    } finally {
      await into.close();
    }
  };
  return {
    threads,
    staging,
    /** Goes on with what is there under a key. */
    resuming,
    fetch: (
      url: string,
      options?: Partial<DownloadOptions>,
      headers?: Readonly<Record<string, string>>,
    ): Promise<Fetched> =>
      resuming({ imageId: randomUUID(), uploadId: randomUUID() }, url, options, headers),
    close: () => threads.close(),
  };
}
