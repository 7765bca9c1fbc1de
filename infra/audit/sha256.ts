import { hash } from 'node:crypto';
import { entryOf } from '../../domain/audit/entry.ts';
import type { Sha256 } from '../../domain/audit/merkle.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';

export const sha256: Sha256 = (bytes) => hash('sha256', bytes, 'buffer');

/** What the tree holds of an event as it is stored. */
export const entryText = (event: RecordedEvent): string => entryOf(event, sha256);

/** Hash of the leaf: of a zero byte and the entry (RFC 6962, 2.1), which are put into bytes at once. */
export const leafOf = (event: RecordedEvent): Uint8Array =>
  sha256(Buffer.from(`\0${entryText(event)}`));
