import { readFile } from 'node:fs/promises';
import { checkpointFrom, type TreeHead } from '../../infra/audit/checkpoint.ts';
import { NoteRefused, parsedNote } from '../../infra/audit/note.ts';
import { writeWhole } from '../../infra/audit/targets/directory.ts';
import { unlessMissing } from '../../infra/files/files.ts';
import type { Log } from '../../infra/postgres/log.ts';

/**
 * The newest checkpoint that this host has signed, beside its key: whoever brings back an older state of the database,
 * checkpoints and all, does not bring back this.
 */
export interface OwnCheckpoint {
  /** None, or one. */
  read(): Promise<readonly TreeHead[]>;
  write(note: string): Promise<void>;
}

export const ownCheckpoint = (path: string, logger: Log): OwnCheckpoint => ({
  async read() {
    const note = await unlessMissing(readFile(path, 'utf8'));
    try {
      return note === undefined ? [] : [checkpointFrom(parsedNote(note).text)];
    } catch (error) {
      if (!(error instanceof NoteRefused)) throw error;
      logger.warn({ path }, 'the checkpoint that was signed here last cannot be read');
      return [];
    }
  },
  // Each second: what a power cut takes of it is in the database still.
  write: (note) => writeWhole(path, note, { isDurable: false }),
});
