/** A regular expression in the language of Python's `re`, as far as asking whether it is found somewhere needs it. */
export type Pattern =
  /** One character, by its code point. */
  | { readonly kind: 'character'; readonly is: CharacterSet }
  | { readonly kind: 'sequence'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'choice'; readonly of: readonly Pattern[] }
  /** `most` may be `Infinity`. */
  | {
      readonly kind: 'repeat';
      readonly of: Pattern;
      readonly least: number;
      readonly most: number;
    }
  /** A place between characters: `^`, `$`, `\b`. */
  | { readonly kind: 'place'; readonly holds: (text: Characters, at: number) => boolean }
  /** What follows or precedes a place; `wanted` is false for `(?!…)` and `(?<!…)`. */
  | {
      readonly kind: 'around';
      readonly of: Pattern;
      readonly side: 'ahead' | 'behind';
      readonly wanted: boolean;
    };

export type CharacterSet = (codePoint: number) => boolean;

/** Code points. */
export type Characters = readonly number[];

/** Says what is wrong with an expression, or what of it is not supported. */
export class BadPattern extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BadPattern';
  }
}
