import { type Bell, bell } from '../bell.ts';

export interface Backlog<Item> {
  /** Resolves when there is room for the next, or the signal aborts. */
  put(item: Item, bytes: number): Promise<void>;
  /** All that is there, oldest first, once there is any; nothing when the signal aborts. Rejects with what `fail` was given. */
  takeAll(): Promise<readonly Item[]>;
  fail(error: unknown): void;
}

const untilRung = 2 ** 31 - 1;

/** What came and was not taken yet. One side puts and one takes; who puts waits while it is full. */
export function backlog<Item>(
  limits: { readonly items: number; readonly bytes: number },
  signal: AbortSignal,
): Backlog<Item> {
  let items: Item[] = [];
  let held = 0;
  let failure: { readonly error: unknown } | undefined;
  const [came, taken]: [Bell, Bell] = [bell(), bell()];
  const isFull = () => items.length >= limits.items || held >= limits.bytes;

  return {
    async put(item, bytes) {
      items.push(item);
      held += bytes;
      came.ring();
      while (isFull() && !signal.aborted) await taken.past(taken.rings, untilRung, signal);
    },
    async takeAll() {
      while (items.length === 0 && failure === undefined && !signal.aborted)
        await came.past(came.rings, untilRung, signal);
      // What came along with the first is taken along.
      await new Promise(setImmediate);
      if (signal.aborted) return [];
      if (items.length === 0 && failure !== undefined) throw failure.error;
      const all = items;
      items = [];
      held = 0;
      taken.ring();
      return all;
    },
    fail(error) {
      failure = { error };
      came.ring();
    },
  };
}
