import type { TableChanges } from './changes.ts';

interface Change<Part> {
  /** Undefined: the row goes. */
  readonly part: Part | undefined;
  readonly isNew: boolean;
  readonly weight: number;
}

/**
 * Changes of one table's rows that are not stored yet: of each key the latest, so that a row which changes many times is
 * written once, and one that came and went not at all.
 */
export function putOff<Part>() {
  const changes = new Map<string, Change<Part>>();
  let weight = 0;
  const set = (key: string, change: Change<Part>): void => {
    weight += change.weight - (changes.get(key)?.weight ?? 0);
    changes.set(key, change);
  };
  return {
    get size(): number {
      return changes.size;
    },
    /** Of the rows together. */
    get weight(): number {
      return weight;
    },
    add({ put, gone }: TableChanges<Part>, weightOf: (part: object) => number): void {
      for (const { key, part, isNew } of put)
        set(key, {
          part,
          isNew: changes.get(key)?.isNew ?? isNew,
          weight: weightOf(part as object),
        });
      for (const key of gone) {
        const isNew = changes.get(key)?.isNew;
        set(key, { part: undefined, isNew: false, weight: 0 });
        if (isNew) changes.delete(key);
      }
    },
    all(): TableChanges<Part> {
      const put: { key: string; part: Part; isNew: boolean }[] = [];
      const gone: string[] = [];
      for (const [key, { part, isNew }] of changes)
        if (part === undefined) gone.push(key);
        else put.push({ key, part, isNew });
      return { put, gone };
    },
    clear(): void {
      changes.clear();
      weight = 0;
    },
  };
}
