import type { SigningKey, VerifierKey } from './keys.ts';

/** Not a note, or not one that a known key has signed. */
export class NoteRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NoteRefused';
  }
}

export interface SignedNote {
  /** With the newline at its end. */
  readonly text: string;
  /** One for each signature line. */
  readonly signatures: readonly {
    readonly name: string;
    readonly id: string;
    readonly signature: Uint8Array;
  }[];
}

/** More than a reader must accept (16), and few enough to be read at once. */
const mostSignatures = 64;

/** Text that keys have signed (C2SP signed-note). The text ends with a newline. */
export function signedNote(text: string, keys: readonly SigningKey[]): string {
  const lines = keys.map((key) => {
    const signature = Buffer.concat([Buffer.from(key.id, 'hex'), key.sign(text)]);
    return `— ${key.name} ${signature.toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** What a note says, whoever signed it. Throws `NoteRefused` where it is none. */
export function parsedNote(note: string): SignedNote {
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2).split('\n');
  const hasControls = /[^\P{Cc}\n]/u.test(note);
  if (end < 0 || text === '' || lines.pop() !== '' || hasControls || lines.length > mostSignatures)
    throw new NoteRefused('this is no signed note');
  return { text, signatures: lines.map(signatureFrom) };
}

function signatureFrom(line: string): SignedNote['signatures'][number] {
  const [, name, base64 = ''] = /^— ([^\s+]+) ([A-Za-z0-9+/]+=*)$/u.exec(line) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (name === undefined || bytes.length < 5)
    throw new NoteRefused('this is no signed note: a signature line is malformed');
  return { name, id: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
}

/**
 * The text of a note, and which of these keys have signed it. Throws `NoteRefused` where none of them has, or where a
 * signature that says it is of one of them is not.
 */
export function openedNote(
  note: string,
  keys: readonly VerifierKey[],
): { readonly text: string; readonly by: readonly VerifierKey[] } {
  const { text, signatures } = parsedNote(note);
  const by = signatures.flatMap(({ name, id, signature }) => {
    const key = keys.find((one) => one.name === name && one.id === id);
    if (key === undefined) return [];
    if (!key.isSigned(text, signature))
      throw new NoteRefused(`the signature of ${name}+${id} does not fit the text`);
    return [key];
  });
  if (by.length === 0) throw new NoteRefused('none of the known keys has signed it');
  return { text, by };
}
