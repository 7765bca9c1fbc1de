import type { CharacterSet, Characters } from './pattern.ts';

const matching =
  (expression: RegExp): CharacterSet =>
  (codePoint) =>
    expression.test(String.fromCodePoint(codePoint));

/** Of all scripts, as Python has it for text. */
const digit = matching(/^\p{Nd}$/u);
const word = matching(/^[\p{L}\p{N}_]$/u);
const jsSpace = matching(/^\s$/u);
const zeroWidthNoBreakSpace = 0xfeff;
const space: CharacterSet = (codePoint) =>
  (codePoint >= 0x1c && codePoint <= 0x1f) ||
  codePoint === 0x85 ||
  (jsSpace(codePoint) && codePoint !== zeroWidthNoBreakSpace);

export const not =
  (set: CharacterSet): CharacterSet =>
  (codePoint) =>
    !set(codePoint);

/** By the letter behind the backslash. */
export const escapedSets: ReadonlyMap<string, CharacterSet> = new Map([
  ['d', digit],
  ['D', not(digit)],
  ['w', word],
  ['W', not(word)],
  ['s', space],
  ['S', not(space)],
]);

export const anyOf =
  (sets: readonly CharacterSet[]): CharacterSet =>
  (codePoint) =>
    sets.some((set) => set(codePoint));

export const between =
  (first: number, last: number): CharacterSet =>
  (codePoint) =>
    codePoint >= first && codePoint <= last;

/** The set with the other case of each of its letters. */
export const inAnyCase =
  (set: CharacterSet): CharacterSet =>
  (codePoint) => {
    if (set(codePoint)) return true;
    const character = String.fromCodePoint(codePoint);
    return [character.toLowerCase(), character.toUpperCase()].some((other) => {
      const [point, ...more] = Array.from(other, (one) => one.codePointAt(0) ?? 0);
      return more.length === 0 && point !== undefined && set(point);
    });
  };

export const lineFeed = 0x0a;

export const atBoundary = (text: Characters, at: number): boolean => {
  const [before, after] = [text[at - 1], text[at]];
  return (before !== undefined && word(before)) !== (after !== undefined && word(after));
};
