/** The last entries that were touched, so that most folds need no read: at most `keep`, of at most `keepBytes` or so. */
export function recentEntries<Value>(keep: number, keepBytes: number) {
  const entries = new Map<string, { readonly value: Value; readonly bytes: number }>();
  let total = 0;
  const remove = (key: string): void => {
    total -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  return {
    has: (key: string): boolean => entries.has(key),
    get: (key: string): Value | undefined => entries.get(key)?.value,
    /** The map keeps the order of setting, oldest first. */
    set(key: string, value: Value, bytes: number): void {
      remove(key);
      entries.set(key, { value, bytes });
      total += bytes;
    },
    /** Forgets the oldest beyond what is to be kept. Between two calls more may gather. */
    trim(): void {
      for (const key of entries.keys()) {
        if (entries.size <= keep && total <= keepBytes) return;
        remove(key);
      }
    },
  };
}
