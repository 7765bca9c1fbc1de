import { HttpError } from './http-error.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as text; bytes that are not UTF-8 are the client's fault. */
export function decoded(bytes: Uint8Array, what: string): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw new HttpError(400, `${what} is not valid UTF-8.`, { cause: error });
  }
}

/** Resolves `%xx` in a part of a URL; a `%` that begins no escape stays, as in the original. */
export function percentDecoded(text: string, what: string): string {
  if (!text.includes('%')) return text;
  const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decoded(Buffer.from(bytes, 'latin1'), what);
}

/** Text that a database and a JSON document can hold: no NUL, no half of a surrogate pair. */
export const isStorable = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);
