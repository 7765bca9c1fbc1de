import type { Feature } from './features.ts';
import type { Site } from './site.ts';

/** One statement of the reference, and how an endpoint shows that it keeps it. */
export interface Case {
  readonly section: string;
  /** Unique in its section. */
  readonly statement: string;
  /** What the endpoint must offer for the statement to apply. */
  readonly needs: readonly Feature[];
  /** Resolves when the statement holds; rejects with `Unmet` when not. */
  readonly run: (site: Site) => Promise<void>;
}

export interface Section {
  readonly name: string;
  readonly cases: readonly Case[];
}

type Run = Case['run'];
export type Says = (
  statement: string,
  ...rest: readonly [Run] | readonly [Feature | readonly Feature[], Run]
) => void;

/** Gathers what `define` says; throws on a statement that is made twice. */
export function section(name: string, define: (says: Says) => void): Section {
  const cases = new Map<string, Case>();
  define((statement, ...rest) => {
    if (cases.has(statement)) throw new Error(`${name} says twice: ${statement}`);
    const [needs, run] = rest.length === 1 ? [[], rest[0]] : [[rest[0]].flat(), rest[1]];
    cases.set(statement, { section: name, statement, needs, run });
  });
  return { name, cases: [...cases.values()] };
}

export const nameOf = ({ section, statement }: Pick<Case, 'section' | 'statement'>): string =>
  `${section}: ${statement}`;
