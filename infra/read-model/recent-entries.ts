/** The last entries that were touched, so that most folds need no read. */
export function recentEntries<Value>(keep: number) {
  const entries = new Map<string, Value>();
  return {
    has: (key: string): boolean => entries.has(key),
    get: (key: string): Value | undefined => entries.get(key),
    /** The map keeps the order of setting, oldest first. */
    set(key: string, value: Value): void {
      entries.delete(key);
      entries.set(key, value);
    },
    /** Forgets the oldest beyond `keep`. Between two calls more may gather. */
    trim(): void {
      for (const key of entries.keys()) {
        if (entries.size <= keep) return;
        entries.delete(key);
      }
    },
  };
}
