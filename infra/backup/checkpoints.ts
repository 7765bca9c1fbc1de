import type { Pool } from 'pg';
import type { TreeHead } from '../audit/checkpoint.ts';
import { checkpointFrom, handOverText } from '../audit/checkpoint.ts';
import { type VerifierKey, verifierKeyFrom } from '../audit/keys.ts';
import { NoteRefused, openedNote } from '../audit/note.ts';
import { keptRows } from './beside.ts';
import type { Manifest } from './manifest.ts';
import { NotAsSigned } from './signed-tree.ts';

/** The newest checkpoint of what a log has up to a position; null where none was signed. */
export async function newestUpTo(
  besideLog: Pool,
  { position, events }: { readonly position: bigint; readonly events: number },
): Promise<Manifest['checkpoint']> {
  const { rows } = await besideLog.query<{ size: bigint; note: string }>(
    `
    select size, note from audit_checkpoints
    where position <= $1
    order by size desc limit 1`,
    [String(position)],
  );
  const [row] = rows;
  if (row === undefined) return null;
  if (Number(row.size) > events)
    throw new NotAsSigned(
      `${row.size} events were signed up to position ${position}, the log has ${events}: some are missing`,
    );
  return { size: Number(row.size), note: row.note };
}

/** Of older checkpoints one an hour is kept anyway; of the newest so many are compared. */
const mostCompared = 1_000;

/** The heads that a backup remembers to have been signed, the smallest first. */
export async function headsIn(
  directory: string,
  manifest: Pick<Manifest, 'beside'>,
): Promise<readonly TreeHead[]> {
  let heads: { readonly head: TreeHead; readonly lasting: boolean }[] = [];
  for await (const lines of keptRows(directory, manifest, 'audit_checkpoints')) {
    for (const text of lines) {
      const row = JSON.parse(text) as { size: number; root: string; lasting: boolean };
      const root = Buffer.from(row.root.slice(2), 'hex');
      heads.push({ head: { size: Number(row.size), root }, lasting: row.lasting });
    }
    heads = heads.filter(({ lasting }, at) => lasting || at >= heads.length - mostCompared);
  }
  return heads.map(({ head }) => head);
}

interface KeyRow {
  readonly verifier_key: string;
  readonly hand_over: string | null;
}

/** The keys that may have signed: those that the reader trusts and all that they lead to; without any, all that are in the backup. */
export async function trustedKeys(
  directory: string,
  manifest: Pick<Manifest, 'beside'>,
  given: readonly string[],
): Promise<readonly VerifierKey[]> {
  const rows: KeyRow[] = [];
  for await (const lines of keptRows(directory, manifest, 'audit_keys'))
    rows.push(...lines.map((text) => JSON.parse(text) as KeyRow));
  if (given.length === 0) return rows.map((row) => verifierKeyFrom(row.verifier_key));
  const trusted = given.map(verifierKeyFrom);
  for (const row of rows)
    if (row.hand_over !== null && handsOverTo(row.hand_over, row.verifier_key, trusted))
      trusted.push(verifierKeyFrom(row.verifier_key));
  return trusted;
}

/** Whether a key that is trusted has signed that this one goes on. */
function handsOverTo(note: string, key: string, trusted: readonly VerifierKey[]): boolean {
  try {
    const { text } = openedNote(note, trusted);
    const [, origin = '', size = '', root = ''] = text.split('\n');
    const at = checkpointFrom(`${origin}\n${size}\n${root}\n`);
    return text === handOverText(at, key);
  } catch (error) {
    if (error instanceof NoteRefused) return false;
    throw error;
  }
}

/** The head that a note is of. Throws `NoteRefused` where no trusted key has signed it. */
export const signedHeadOf = (note: string, trusted: readonly VerifierKey[]) =>
  checkpointFrom(openedNote(note, trusted).text);
