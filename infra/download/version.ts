import type { IncomingHttpHeaders } from 'node:http';

/** What a server says of a file, to tell it from what the file may be later. */
export interface Version {
  /** Bytes; null while nobody knows. */
  readonly size: number | null;
  /** As it was sent, a weak one with its `W/`. */
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** The file had been at rest for so long when it was served that `lastModified` names one version only. */
  readonly isSettled: boolean;
}

/** A file that is changed twice within a second bears the same date both times. */
const settledMs = 2_000;

export function versionOf(headers: IncomingHttpHeaders, size: number | null): Version {
  const { etag = null, date = '' } = headers;
  const lastModified = headers['last-modified'] ?? null;
  const restedMs = Date.parse(date) - Date.parse(lastModified ?? '');
  return { size, etag, lastModified, isSettled: restedMs >= settledMs };
}

/** What to send as `If-Range`; null where nothing that the server said names exactly these bytes (RFC 9110, 8.8 and 13.1.5). */
export function validatorOf({ etag, lastModified, isSettled }: Version): string | null {
  if (etag !== null && !etag.startsWith('W/')) return etag;
  return isSettled ? lastModified : null;
}

/** Whether two answers may be of one version: nothing that both say differs. */
export const maySame = (one: Version, other: Version): boolean =>
  agree(one.size, other.size) &&
  agree(one.etag, other.etag) &&
  agree(one.lastModified, other.lastModified);

const agree = <T>(one: T | null, other: T | null): boolean =>
  one === null || other === null || one === other;

/** Whether two answers surely are of one version. */
export function isSame(one: Version, other: Version): boolean {
  const validator = validatorOf(one);
  return validator !== null && maySame(one, other) && validator === validatorOf(other);
}
