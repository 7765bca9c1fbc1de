import { checkpointText, handOverText, type TreeHead } from '../../infra/audit/checkpoint.ts';
import { readKeyFile, type SigningKeys, writeKeyFile } from '../../infra/audit/key-file.ts';
import { newSigningKey, type SigningKey } from '../../infra/audit/keys.ts';
import type { AuditMemory } from '../../infra/audit/memory.ts';
import { signedNote } from '../../infra/audit/note.ts';

/** There is no key that may sign; the message says what to do. */
export class CannotSign extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CannotSign';
  }
}

export interface SigningPorts {
  readonly memory: Pick<AuditMemory, 'keys' | 'addKey'>;
  readonly keyFile: string;
  /** What the log is called, for the first key. */
  readonly origin: string;
}

/** The keys of the file, the newest of which is the one that is registered; both are made where neither is there. */
export async function signingKeys({ memory, keyFile, origin }: SigningPorts): Promise<SigningKeys> {
  const registered = (await memory.keys()).at(-1);
  const held = await readKeyFile(keyFile);
  if (registered !== undefined) {
    if (held === undefined)
      throw new CannotSign(
        `there is no ${keyFile}, and ${registered.verifierKey} signs this log: copy its file here, or run daguerre audit keys rotate --lost`,
      );
    if (held.newest.text === registered.verifierKey) return held;
    throw new CannotSign(
      `${keyFile} has the key ${held.newest.text}, but ${registered.verifierKey} signs this log: run daguerre audit keys rotate`,
    );
  }
  const keys = held ?? { newest: newSigningKey(origin), older: [] };
  if (held === undefined) await writeKeyFile(keyFile, keys);
  await memory.addKey({ verifierKey: keys.newest.text, fromSize: 0, handOver: null });
  return keys;
}

/** Signed by the newest key, and by those before it whose time is not over. */
export function signedHead({ size, root }: TreeHead, keys: SigningKeys, now: Date): string {
  const older = keys.older.filter(({ until }) => until > now).map(({ key }) => key);
  const text = checkpointText({ origin: keys.newest.name, size, root });
  return signedNote(text, [keys.newest, ...older]);
}

export interface Rotation {
  readonly from: SigningKey | undefined;
  readonly to: SigningKey;
  readonly fromSize: number;
}

/**
 * A new key takes over from the tree as it was last signed. The file comes first: dying before the new key is registered
 * leaves a system that does not sign until this is done again, which then goes on with the same new key.
 */
export async function rotateKeys(
  { memory, keyFile, origin }: SigningPorts,
  {
    head,
    until,
    isLost,
    now,
  }: {
    /** The newest that was signed. */
    readonly head: TreeHead;
    /** Until when both sign. */
    readonly until: Date;
    /** The old key is gone: nothing signs the hand-over, and verifiers must be told of the new one. */
    readonly isLost: boolean;
    readonly now: Date;
  },
): Promise<Rotation> {
  const registered = (await memory.keys()).at(-1);
  const held = await readKeyFile(keyFile);
  const isBegun = held?.older[0]?.key.text === registered?.verifierKey && held !== undefined;
  const from = [held?.newest, held?.older[0]?.key].find(
    (key) => key !== undefined && key.text === registered?.verifierKey,
  );
  if (from === undefined && registered !== undefined && !isLost)
    throw new CannotSign(
      `${keyFile} does not have ${registered.verifierKey}, which must sign the hand-over; --lost does without`,
    );
  const to = isBegun ? held.newest : newSigningKey(from?.name ?? held?.newest.name ?? origin);
  const signing = [
    ...(from === undefined ? [] : [{ key: from, until }]),
    ...(held?.older ?? []).filter(({ key, until: end }) => end > now && key.text !== from?.text),
  ];
  await writeKeyFile(keyFile, { newest: to, older: signing });
  const text = handOverText({ origin: to.name, ...head }, to.text);
  const handOver = from === undefined ? null : signedNote(text, [from, to]);
  await memory.addKey({ verifierKey: to.text, fromSize: head.size, handOver });
  return { from, to, fromSize: head.size };
}
