/** Values by key, each until a moment of its own, and never more than `max`: what was asked for longest ago goes. */
export interface BoundedCache<Value> {
  get(key: string): Value | undefined;
  /** `until` in milliseconds of the clock. */
  set(key: string, value: Value, until: number): void;
  readonly size: number;
}

export function boundedCache<Value>(max: number, now: () => number): BoundedCache<Value> {
  // A Map keeps the order of insertion: first is what was used longest ago.
  const entries = new Map<string, { readonly value: Value; readonly until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (now() >= entry.until) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, until) {
      entries.delete(key);
      if (now() >= until) return;
      entries.set(key, { value, until });
      const [oldest] = entries.keys();
      if (entries.size > max && oldest !== undefined) entries.delete(oldest);
    },
    get size() {
      return entries.size;
    },
  };
}
