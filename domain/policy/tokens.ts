import { BadRule, shown } from './policy-refused.ts';

/** A parenthesis, one of the three words in lower case, or a check as it was written. */
export type Token =
  | { readonly kind: '(' | ')' | 'and' | 'or' | 'not' | 'end'; readonly at: number }
  | { readonly kind: 'check'; readonly at: number; readonly text: string };

// A check is a run of placeholders, quoted texts and other characters but white space and parentheses.
const piece = /%\([^()\s]*\)|"[^"]*"|'[^']*'|[^\s()'"]/y;
const space = /\s+/y;

const matchAt = (pattern: RegExp, text: string, at: number): string => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
};

function checkAt(text: string, start: number): string {
  let end = start;
  for (;;) {
    const found = matchAt(piece, text, end);
    if (found === '') return text.slice(start, end);
    end += found.length;
  }
}

const isWord = (text: string): text is 'and' | 'or' | 'not' => /^(and|or|not)$/.test(text);

/** Throws BadRule. The last token is `end`; `at` counts characters from 1. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = matchAt(space, text, 0).length;
  while (position < text.length) {
    const at = position + 1;
    const character = text.charAt(position);
    if (character === '(' || character === ')') {
      tokens.push({ kind: character, at });
      position += 1;
    } else {
      const check = checkAt(text, position);
      position += check.length;
      const next = text.charAt(position);
      if (next === "'" || next === '"')
        throw new BadRule(`the quote at character ${position + 1} is never closed`);
      const word = check.toLowerCase();
      if (isWord(word)) tokens.push({ kind: word, at });
      else if (next === '(')
        throw new BadRule(
          `${shown(check)} runs into a parenthesis at character ${position + 1}; quote it or put a space before`,
        );
      else tokens.push({ kind: 'check', at, text: check });
    }
    position += matchAt(space, text, position).length;
  }
  return [...tokens, { kind: 'end', at: text.length + 1 }];
}
