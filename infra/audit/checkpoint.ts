import { hashBytes } from '../../domain/audit/merkle.ts';
import { NoteRefused } from './note.ts';

/** What a tree was at a size. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

export interface Checkpoint extends TreeHead {
  /** Names the log. */
  readonly origin: string;
}

/** The text that is signed (C2SP tlog-checkpoint). */
export const checkpointText = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;

/** Lines behind the third are passed over, as others may have put them there. */
export function checkpointFrom(text: string): Checkpoint {
  const [origin = '', size = '', base64 = ''] = text.split('\n');
  const root = Buffer.from(base64, 'base64');
  const isWhole = /^(0|[1-9]\d{0,15})$/.test(size) && Number.isSafeInteger(Number(size));
  if (origin === '' || !isWhole || root.length !== hashBytes || root.toString('base64') !== base64)
    throw new NoteRefused('this is no checkpoint');
  return { origin, size: Number(size), root };
}

/** First line of a hand-over: no log is called so, and it is no checkpoint therefore. */
const handOverTitle = 'daguerre.audit/key-hand-over/v1';

/**
 * What the old key signs when a new one takes over: that from the tree of this size on, checkpoints are signed by the key
 * `newKey`. A verifier that knows the old key alone learns the new one from it.
 */
export const handOverText = (at: Checkpoint, newKey: string): string =>
  `${handOverTitle}\n${checkpointText(at)}${newKey}\n`;
