import type { BulkEvent, Outcome } from './events.ts';

/**
 * Which items are settled, a letter for each: cheap to keep for ten thousand facts of ten thousand items, since each
 * writes one short text anew.
 */
export type Marks = readonly string[];

const perText = 1_000;
const pending = '.';
const letterOf = {
  done: 'd',
  skipped: 's',
  updated: 'u',
  failed: 'f',
  cancelled: 'c',
} as const satisfies Readonly<Record<Outcome, string>>;

export const marked = (marks: Marks, event: BulkEvent): Marks => {
  switch (event.type) {
    case 'BulkImportRequested':
      return Array.from({ length: Math.ceil(event.data.items / perText) }, () =>
        pending.repeat(perText),
      );
    case 'BulkItemSettled': {
      const { item, outcome } = event.data;
      const [text, at] = [Math.floor(item / perText), item % perText];
      const before = marks[text];
      if (before === undefined) return marks;
      return marks.with(text, before.slice(0, at) + letterOf[outcome] + before.slice(at + 1));
    }
    case 'BulkImportRetried':
      return marks.map((text) => text.replaceAll(letterOf.failed, pending));
    default:
      return marks;
  }
};

export const isSettled = (marks: Marks, item: number): boolean =>
  (marks[Math.floor(item / perText)]?.[item % perText] ?? pending) !== pending;
