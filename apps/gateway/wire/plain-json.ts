import { HttpError } from '../http-error.ts';
import { isStorable } from '../text.ts';

/** Deeper than any honest document, and no danger to anybody's stack. */
const maxDepth = 32;

/** 400 for a document that cannot be stored as it is: NUL or half a surrogate pair in a text, a number that was read as another one, nesting without end. */
export function checkPlain(document: unknown): void {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [
    { value: document, depth: 0 },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string') checkText(value);
    if (typeof value === 'number') checkNumber(value);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth)
      throw new HttpError(400, `The document is nested deeper than ${maxDepth} levels.`);
    for (const [name, part] of Object.entries(value)) {
      checkText(name);
      waiting.push({ value: part, depth: depth + 1 });
    }
  }
}

/** Beyond these limits JSON gives no promise between two programs (RFC 7493, section 2.2): better refused than rounded. */
function checkNumber(number: number): void {
  if (!Number.isFinite(number)) throw new HttpError(400, 'Numbers must be finite.');
  if (Number.isInteger(number) && !Number.isSafeInteger(number))
    throw new HttpError(
      400,
      `Whole numbers cannot be kept exactly beyond ${Number.MAX_SAFE_INTEGER}.`,
    );
}

function checkText(text: string): void {
  if (!isStorable(text))
    throw new HttpError(400, 'Names and values must be Unicode text without NUL characters.');
}
