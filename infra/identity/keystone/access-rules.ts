import type { AccessRule } from './documents.ts';

/** What a request asks of the service, its path without the query. */
export interface Wish {
  readonly method: string;
  readonly path: string;
}

/**
 * Whether an application credential that is limited to some calls may make this one. In a rule's path `{name}` and `*`
 * stand for one segment, `**` for any rest (Identity API v3, "Access rules").
 */
export const allowed = (rules: readonly AccessRule[], wish: Wish): boolean =>
  rules.some(
    ({ service, method, path }) =>
      service === 'image' && method === wish.method && matches(piecesOf(path), wish.path),
  );

const segment = Symbol('one character or more, no slash');
const anything = Symbol('any characters, or none');

type Piece = string | typeof segment | typeof anything;

const piecesOf = (path: string): readonly Piece[] =>
  (path.match(/\{[^}]*\}|\*\*|./gs) ?? []).map((part) => {
    if (part === '**') return anything;
    return part === '*' || part.length > 1 ? segment : part;
  });

/** All ways at once, character by character: users write the rules, and must not be able to write slow ones. */
function matches(pieces: readonly Piece[], path: string): boolean {
  let reached = withSkipped(pieces, [0]);
  for (const character of path) {
    const next: number[] = [];
    for (const at of reached) {
      const piece = pieces[at];
      if (piece === anything) next.push(at);
      else if (piece === segment && character !== '/') next.push(at, at + 1);
      else if (piece === character) next.push(at + 1);
    }
    reached = withSkipped(pieces, next);
  }
  return reached.has(pieces.length);
}

function withSkipped(pieces: readonly Piece[], reached: readonly number[]): ReadonlySet<number> {
  const all = new Set(reached);
  for (const at of all) if (pieces[at] === anything) all.add(at + 1);
  return all;
}
