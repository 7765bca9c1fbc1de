import { HttpError } from '../http-error.ts';
import { isStorable } from '../text.ts';

/** Deeper than any honest document, and no danger to anybody's stack. */
const maxDepth = 32;

/** 400 for a document that cannot be stored as it is: NUL or half a surrogate pair in a text, a number beyond all numbers, nesting without end. */
export function checkPlain(document: unknown): void {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [
    { value: document, depth: 0 },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string') checkText(value);
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new HttpError(400, 'Numbers must be finite.');
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= maxDepth)
      throw new HttpError(400, `The document is nested deeper than ${maxDepth} levels.`);
    for (const [name, part] of Object.entries(value)) {
      checkText(name);
      waiting.push({ value: part, depth: depth + 1 });
    }
  }
}

function checkText(text: string): void {
  if (!isStorable(text))
    throw new HttpError(400, 'Names and values must be Unicode text without NUL characters.');
}
