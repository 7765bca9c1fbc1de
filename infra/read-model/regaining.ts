/**
 * What a process knew of read models, held against what they have after a crash of Postgres: commits of theirs that did
 * not wait for the disk may be gone until they are made again, and nobody may be shown less than was acknowledged.
 */
export interface Regaining {
  /** What was known is in doubt from here on: each of these read models must have that much again. */
  doubt(had: ReadonlyMap<string, bigint>): void;
  /** What one of them has by now. */
  learn(model: string, position: bigint): void;
  /** Whether something is missing still. */
  readonly isOpen: boolean;
  /** Resolves once nothing is missing; false when that takes longer. */
  settled(timeoutMs: number): Promise<boolean>;
}

export function regaining(): Regaining {
  const missing = new Map<string, bigint>();
  let waiting: (() => void)[] = [];
  return {
    doubt(had) {
      for (const [model, position] of had)
        if (position > (missing.get(model) ?? -1n)) missing.set(model, position);
    },
    learn(model, position) {
      const had = missing.get(model);
      if (had === undefined || position < had) return;
      missing.delete(model);
      if (missing.size > 0) return;
      const free = waiting;
      waiting = [];
      for (const go of free) go();
    },
    get isOpen() {
      return missing.size > 0;
    },
    settled(timeoutMs) {
      if (missing.size === 0) return Promise.resolve(true);
      return new Promise((resolve) => {
        const go = (): void => {
          clearTimeout(timer);
          resolve(true);
        };
        const timer = setTimeout(() => {
          waiting = waiting.filter((other) => other !== go);
          resolve(false);
        }, timeoutMs);
        waiting.push(go);
      });
    },
  };
}
