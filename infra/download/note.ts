import { createHash } from 'node:crypto';
import type { JsonObject } from '../../domain/json.ts';
import type { Version } from './version.ts';

/** What a download remembers beside its bytes. */
export interface Note {
  /** Of the URL: bytes of another are of no use. The URL itself may hold a secret. */
  readonly urlHash: string;
  readonly version: Version;
  /** Without query. */
  readonly finalUrl: string;
  /** How many answers the bytes came from. */
  readonly pieces: number;
  /** How often the file became another. */
  readonly changes: number;
  /** The bytes were fetched anew since those before were not what was expected. */
  readonly isSecondTry: boolean;
  /** Checksums that were verified. */
  readonly digests: Readonly<Record<string, string>>;
}

export const urlHashOf = (url: string): string => createHash('sha256').update(url).digest('hex');

export const asJson = (note: Note): JsonObject => ({ ...note, version: { ...note.version } });

/** Null where the note is not about this URL. */
export const noteFor = (url: string, json: JsonObject | null): Note | null =>
  json !== null && json.urlHash === urlHashOf(url) ? (json as unknown as Note) : null;
