/** How many requests may be under way at once, over all endpoints. */
export interface Slots {
  /** False when none is free; whoever was told so is called when one is. */
  take(waiting: () => void): boolean;
  free(): void;
}

export function slots(count: number): Slots {
  let left = count;
  const waiters = new Set<() => void>();
  return {
    take(waiting) {
      if (left === 0) {
        waiters.add(waiting);
        return false;
      }
      left -= 1;
      return true;
    },
    free() {
      left += 1;
      const called = [...waiters];
      waiters.clear();
      for (const call of called) call();
    },
  };
}
