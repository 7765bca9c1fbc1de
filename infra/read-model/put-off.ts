import type { TableChanges } from './changes.ts';

/**
 * Changes of one table's rows that are not stored yet: of each key the latest, so that a row which changes many times is
 * written once, and one that came and went not at all.
 */
export function putOff<Part>() {
  const changes = new Map<string, { readonly part: Part | undefined; readonly isNew: boolean }>();
  return {
    get size(): number {
      return changes.size;
    },
    add({ put, gone }: TableChanges<Part>): void {
      for (const { key, part, isNew } of put)
        changes.set(key, { part, isNew: changes.get(key)?.isNew ?? isNew });
      for (const key of gone)
        if (changes.get(key)?.isNew) changes.delete(key);
        else changes.set(key, { part: undefined, isNew: false });
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
    },
  };
}
