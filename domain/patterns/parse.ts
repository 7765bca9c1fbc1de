import { anyOf, atBoundary, between, escapedSets, inAnyCase, lineFeed, not } from './characters.ts';
import { BadPattern, type CharacterSet, type Pattern } from './pattern.ts';

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  readonly multiline: boolean;
}

/** An operator's expressions are a line long; this bounds how deep they can be nested. */
const maxLength = 1_000;

const controls: Readonly<Record<string, number>> = {
  a: 0x07,
  f: 0x0c,
  n: lineFeed,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
};

/** Reads an expression as Python's `re.compile` does for text. Throws `BadPattern`. */
export function parsePattern(source: string): Pattern {
  const characters = Array.from(source);
  if (characters.length > maxLength) throw new BadPattern(`is longer than ${maxLength} characters`);
  let at = 0;

  const peek = (ahead = 0): string | undefined => characters[at + ahead];
  const take = (text: string): boolean => {
    if (characters.slice(at, at + text.length).join('') !== text) return false;
    at += text.length;
    return true;
  };
  const taken = (expression: RegExp): RegExpExecArray | undefined => {
    const found = expression.exec(characters.slice(at).join(''));
    if (found === null) return undefined;
    at += Array.from(found[0]).length;
    return found;
  };

  const oneOf = (set: CharacterSet, { ignoreCase }: Flags, negated = false): Pattern => {
    const folded = ignoreCase ? inAnyCase(set) : set;
    return { kind: 'character', is: negated ? not(folded) : folded };
  };

  const choice = (flags: Flags): Pattern => {
    const branches = [sequence(flags)];
    while (take('|')) branches.push(sequence(flags));
    const [only] = branches;
    return branches.length === 1 && only ? only : { kind: 'choice', of: branches };
  };

  const sequence = (flags: Flags): Pattern => {
    const parts: Pattern[] = [];
    while (peek() !== undefined && peek() !== '|' && peek() !== ')') {
      const part = atom(flags);
      parts.push(part === undefined ? nothing : quantified(part));
    }
    return { kind: 'sequence', parts };
  };

  const quantified = (of: Pattern): Pattern => {
    const bounds = quantifier();
    if (bounds === undefined) return of;
    if (of.kind === 'place') throw new BadPattern('has nothing to repeat');
    if (take('+')) throw new BadPattern('has a possessive quantifier, which is not supported');
    take('?'); // how little is taken makes no difference to whether it is found
    if (quantifier() !== undefined) throw new BadPattern('has two quantifiers in a row');
    return { kind: 'repeat', of, ...bounds };
  };

  const quantifier = (): { readonly least: number; readonly most: number } | undefined => {
    if (take('*')) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (take('+')) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (take('?')) return { least: 0, most: 1 };
    const [, only, first, last] = taken(/^\{(?:(\d+)|(\d*),(\d*))\}/) ?? [];
    if (only !== undefined) return { least: Number(only), most: Number(only) };
    if (first === undefined) return undefined;
    const least = Number(first);
    const most = last ? Number(last) : Number.POSITIVE_INFINITY;
    if (least > most) throw new BadPattern(`has bounds {${first},${last}} in the wrong order`);
    return { least, most };
  };

  /** Undefined for a comment. */
  const atom = (flags: Flags): Pattern | undefined => {
    const character = peek() ?? '';
    if (take('(')) return group(flags);
    if (take('[')) return bracketed(flags);
    if (take('\\')) return escaped(flags);
    if (take('.')) return { kind: 'character', is: (one) => flags.dotAll || one !== lineFeed };
    if (take('^')) return flags.multiline ? lineStart : textStart;
    if (take('$')) return flags.multiline ? lineEnd : lastLineEnd;
    if ('*+?'.includes(character)) throw new BadPattern('has nothing to repeat');
    at += 1;
    return oneOf(only(character), flags);
  };

  const group = (flags: Flags): Pattern | undefined => {
    const closed = (pattern: Pattern): Pattern => {
      if (!take(')')) throw new BadPattern('has a parenthesis that is not closed');
      return pattern;
    };
    if (!take('?')) return closed(choice(flags));
    if (taken(/^#[^)]*\)/)) return undefined;
    for (const [opening, side, wanted] of lookarounds)
      if (take(opening)) return closed({ kind: 'around', of: choice(flags), side, wanted });
    if (taken(/^P<[\p{L}_][\p{L}\p{N}_]*>/u) || take(':')) return closed(choice(flags));
    const [, on, off] = taken(/^([aimsu]*)(?:-([ims]+))?:/) ?? [];
    if (on !== undefined) return closed(choice(withFlags(flags, on, off)));
    throw new BadPattern(`has (?${characters.slice(at, at + 2).join('')}, which is not supported`);
  };

  const bracketed = (flags: Flags): Pattern => {
    const negated = take('^');
    const sets: CharacterSet[] = [];
    for (let first = true; first || peek() !== ']'; first = false) {
      const low = member();
      if (typeof low === 'number' && peek() === '-' && peek(1) !== ']') {
        at += 1;
        const high = member();
        if (typeof high !== 'number' || high < low)
          throw new BadPattern('has a range of characters in the wrong order');
        sets.push(between(low, high));
      } else sets.push(typeof low === 'number' ? between(low, low) : low);
    }
    at += 1;
    return oneOf(anyOf(sets), flags, negated);
  };

  /** One character of a set by its code point, or a set within it. */
  const member = (): number | CharacterSet => {
    const character = peek();
    if (character === undefined) throw new BadPattern('has a [ that is not closed');
    at += 1;
    if (character !== '\\') return character.codePointAt(0) ?? 0;
    const set = escapedSets.get(peek() ?? '');
    if (set !== undefined) {
      at += 1;
      return set;
    }
    return take('b') ? 0x08 : escapedCharacter();
  };

  const escaped = (flags: Flags): Pattern => {
    if (take('A')) return textStart;
    if (take('Z')) return textEnd;
    if (take('b')) return { kind: 'place', holds: atBoundary };
    if (take('B')) return { kind: 'place', holds: (text, place) => !atBoundary(text, place) };
    const set = escapedSets.get(peek() ?? '');
    if (set !== undefined) {
      at += 1;
      return oneOf(set, flags);
    }
    const codePoint = escapedCharacter();
    return oneOf(between(codePoint, codePoint), flags);
  };

  const escapedCharacter = (): number => {
    const [, x, u, long] = taken(/^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/) ?? [];
    const hex = x ?? u ?? long;
    const octal = hex === undefined ? taken(/^(?:0[0-7]{0,2}|[0-3][0-7]{2})/)?.[0] : undefined;
    const number = hex !== undefined ? Number.parseInt(hex, 16) : Number.parseInt(octal ?? '', 8);
    if (!Number.isNaN(number)) {
      if (number > 0x10ffff) throw new BadPattern('has an escape of no character');
      return number;
    }
    const character = peek();
    at += 1;
    if (character === undefined) throw new BadPattern('ends with a backslash');
    const control = Object.hasOwn(controls, character) ? controls[character] : undefined;
    if (control !== undefined) return control;
    if (/[1-9]/.test(character))
      throw new BadPattern('has a back reference, which is not supported');
    if (/[a-zA-Z]/.test(character)) throw new BadPattern(`has an unknown escape \\${character}`);
    return character.codePointAt(0) ?? 0;
  };

  const global = taken(/^\(\?([aimsu]+)\)/)?.[1] ?? '';
  const whole = choice(withFlags(noFlags, global, ''));
  if (at < characters.length) throw new BadPattern('has a ) that closes nothing');
  return whole;
}

const noFlags: Flags = { ignoreCase: false, dotAll: false, multiline: false };

function withFlags(flags: Flags, on: string, off = ''): Flags {
  if (on.includes('a')) throw new BadPattern('has the flag a, which is not supported');
  const after = (letter: string, before: boolean): boolean =>
    (before || on.includes(letter)) && !off.includes(letter);
  return {
    ignoreCase: after('i', flags.ignoreCase),
    dotAll: after('s', flags.dotAll),
    multiline: after('m', flags.multiline),
  };
}

const lookarounds = [
  ['=', 'ahead', true],
  ['!', 'ahead', false],
  ['<=', 'behind', true],
  ['<!', 'behind', false],
] as const;

const nothing: Pattern = { kind: 'sequence', parts: [] };

const only = (character: string): CharacterSet => {
  const codePoint = character.codePointAt(0) ?? 0;
  return between(codePoint, codePoint);
};

const textStart: Pattern = { kind: 'place', holds: (_, at) => at === 0 };
const textEnd: Pattern = { kind: 'place', holds: (text, at) => at === text.length };
const lineStart: Pattern = {
  kind: 'place',
  holds: (text, at) => at === 0 || text[at - 1] === lineFeed,
};
const lineEnd: Pattern = {
  kind: 'place',
  holds: (text, at) => at === text.length || text[at] === lineFeed,
};
/** Before a last line feed too, as Python has it. */
const lastLineEnd: Pattern = {
  kind: 'place',
  holds: (text, at) => at === text.length || (at === text.length - 1 && text[at] === lineFeed),
};
