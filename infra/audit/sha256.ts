import { hash } from 'node:crypto';
import { entryOf } from '../../domain/audit/entry.ts';
import { leafHash, type Sha256 } from '../../domain/audit/merkle.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';

export const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'buffer');

/** What the tree holds of an event as it is stored. */
export const entryText = (event: RecordedEvent): string => entryOf(event, sha256);

export const leafOf = (event: RecordedEvent): Uint8Array =>
  leafHash(sha256, Buffer.from(entryText(event)));
