import type { Put, TableChanges } from './changes.ts';

interface Gone {
  readonly part: undefined;
  readonly isNew: false;
  readonly size: { readonly length: 0 };
}
const gone: Gone = { part: undefined, isNew: false, size: { length: 0 } };

/**
 * Changes of one table's rows that are not stored yet: of each key the latest, so that a row which changes many times is
 * written once, and one that came and went not at all.
 */
export function putOff<Part>() {
  const changes = new Map<string, Put<Part> | Gone>();
  let weight = 0;
  const set = (key: string, change: Put<Part> | Gone): void => {
    weight += change.size.length - (changes.get(key)?.size.length ?? 0);
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
    has: (key: string): boolean => changes.has(key),
    add(added: TableChanges<Part>): void {
      for (const one of added.put) {
        const isNew = changes.get(one.key)?.isNew ?? one.isNew;
        set(one.key, isNew === one.isNew ? one : { ...one, isNew });
      }
      for (const key of added.gone) {
        const isNew = changes.get(key)?.isNew;
        set(key, gone);
        if (isNew) changes.delete(key);
      }
    },
    all(): TableChanges<Part> {
      const put: Put<Part>[] = [];
      const goneKeys: string[] = [];
      for (const [key, change] of changes)
        if (change === gone) goneKeys.push(key);
        else put.push(change as Put<Part>);
      return { put, gone: goneKeys };
    },
    clear(): void {
      changes.clear();
      weight = 0;
    },
  };
}
