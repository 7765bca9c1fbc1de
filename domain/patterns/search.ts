import { parsePattern } from './parse.ts';
import { BadPattern, type CharacterSet, type Characters, type Pattern } from './pattern.ts';

/**
 * The expression as a graph that is walked from `found` backwards when it is built, from its start when it is searched
 * for. All ways through it are followed at once, character by character: the time is the length of the text times the
 * size of the graph, whatever the expression, where a backtracking search can take for ever.
 */
type Node = { readonly id: number } & (
  | { readonly kind: 'found' }
  | { readonly kind: 'character'; readonly is: CharacterSet; readonly next: Node }
  | { readonly kind: 'fork'; next: readonly Node[] }
  | {
      readonly kind: 'place';
      readonly holds: (text: Characters, at: number) => boolean;
      readonly next: Node;
    }
  | {
      readonly kind: 'around';
      readonly of: Program;
      readonly wanted: boolean;
      readonly next: Node;
    }
);

interface Program {
  readonly start: Node;
  readonly size: number;
  readonly direction: Direction;
}

/** 1 reads forwards. What lies ahead of places is found by reading backwards, for all of them at once. */
type Direction = 1 | -1;

const maxNodes = 2_000;

/**
 * Whether an expression of Python's `re` is found anywhere in a text, as `re.search` has it. Throws `BadPattern` for
 * what is wrong, and for what cannot be said in linear time: back references, conditions, atomic groups.
 */
export function searchFor(source: string): (text: string) => boolean {
  const program = programOf(parsePattern(source), 1, { nodes: 0 });
  return (text) => {
    const characters = Array.from(text, (character) => character.codePointAt(0) ?? 0);
    return reached(program, characters, { onlyFirst: true }).includes(1);
  };
}

function programOf(pattern: Pattern, direction: Direction, budget: { nodes: number }): Program {
  let size = 0;
  const spend = (): void => {
    budget.nodes += 1;
    if (budget.nodes > maxNodes) throw new BadPattern('is too large');
  };
  const numbered = (): { readonly id: number } => {
    spend();
    size += 1;
    return { id: size - 1 };
  };
  const joined = (of: Pattern, next: Node): Node => {
    switch (of.kind) {
      case 'character':
      case 'place':
        return { ...numbered(), ...of, next };
      case 'sequence':
        return direction === 1
          ? of.parts.reduceRight((node, part) => joined(part, node), next)
          : of.parts.reduce((node, part) => joined(part, node), next);
      case 'choice':
        return { ...numbered(), kind: 'fork', next: of.of.map((part) => joined(part, next)) };
      case 'repeat':
        return repeated(of, next);
      case 'around': {
        const inner = programOf(of.of, of.side === 'ahead' ? -1 : 1, budget);
        return { ...numbered(), kind: 'around', of: inner, wanted: of.wanted, next };
      }
    }
  };
  const repeated = ({ of, least, most }: Pattern & { kind: 'repeat' }, next: Node): Node => {
    let node = next;
    if (most === Number.POSITIVE_INFINITY) {
      const loop: Node & { kind: 'fork' } = { ...numbered(), kind: 'fork', next: [] };
      loop.next = [joined(of, loop), next];
      node = loop;
    } else
      for (let count = least; count < most; count += 1)
        node = { ...numbered(), kind: 'fork', next: [joined(of, node), next] };
    for (let count = 0; count < least; count += 1) {
      spend(); // what is repeated may be nothing
      node = joined(of, node);
    }
    return node;
  };
  const start = joined(pattern, { ...numbered(), kind: 'found' });
  return { start, size, direction };
}

/** Marks the places where a way through the program ends, wherever it began. */
function reached(
  { start, size, direction }: Program,
  text: Characters,
  { onlyFirst }: { readonly onlyFirst: boolean },
): Uint8Array {
  const marks = new Uint8Array(text.length + 1);
  const visited = new Int32Array(size).fill(-1);
  const around = new Map<Program, Uint8Array>();
  const marksOf = (of: Program): Uint8Array => {
    const known = around.get(of) ?? reached(of, text, { onlyFirst: false });
    around.set(of, known);
    return known;
  };
  let entered: Node[] = [];
  for (let at = direction === 1 ? 0 : text.length; at >= 0 && at <= text.length; at += direction) {
    const character = direction === 1 ? text[at] : text[at - 1];
    const open = [...entered, start];
    entered = [];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (visited[node.id] === at) continue;
      visited[node.id] = at;
      if (node.kind === 'found') marks[at] = 1;
      else if (node.kind === 'fork') open.push(...node.next);
      else if (node.kind === 'character') {
        if (character !== undefined && node.is(character)) entered.push(node.next);
      } else if (node.kind === 'place') {
        if (node.holds(text, at)) open.push(node.next);
      } else if ((marksOf(node.of)[at] === 1) === node.wanted) open.push(node.next);
    }
    if (onlyFirst && marks[at] === 1) return marks;
  }
  return marks;
}
