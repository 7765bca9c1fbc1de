/** How many items may be in work at once; 0 is no limit. */
export interface BulkLimits {
  readonly total: number;
  readonly project: number;
  readonly host: number;
}

/** Counts what is in work, over all imports. */
export interface BulkBudget {
  /** Takes room for an item; gives what gives it back, undefined where there is none. */
  take(project: string, host: string): (() => void) | undefined;
  isFull(): boolean;
  isFullFor(project: string): boolean;
}

export function bulkBudget({ total, project: ofProject, host: ofHost }: BulkLimits): BulkBudget {
  const counts = new Map<string, number>();
  const isAt = (key: string, limit: number): boolean =>
    limit > 0 && (counts.get(key) ?? 0) >= limit;
  const add = (key: string, by: number): void => {
    const count = (counts.get(key) ?? 0) + by;
    if (count === 0) counts.delete(key);
    else counts.set(key, count);
  };
  return {
    isFull: () => isAt('', total),
    isFullFor: (project) => isAt(`project ${project}`, ofProject),
    take(project, host) {
      const keys = [
        ['', total],
        [`project ${project}`, ofProject],
        [`host ${host}`, ofHost],
      ] as const;
      if (keys.some(([key, limit]) => isAt(key, limit))) return undefined;
      for (const [key] of keys) add(key, 1);
      return () => {
        for (const [key] of keys) add(key, -1);
      };
    },
  };
}
