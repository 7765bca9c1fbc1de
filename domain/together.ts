/**
 * Asks once for all keys that are asked for in one turn of the event loop: many wait for the same moment, and look then.
 * Each gets what its key has, undefined where it has nothing.
 */
export function together<Value>(
  ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value | undefined> {
  let keys: Set<string> | undefined;
  let answer: Promise<ReadonlyMap<string, Value>> | undefined;

  const begin = (first: Set<string>): Promise<ReadonlyMap<string, Value>> => {
    keys = first;
    return new Promise((resolve, reject) => {
      setImmediate(() => {
        keys = undefined;
        answer = undefined;
        ask([...first]).then(resolve, reject);
      });
    });
  };

  return async (key) => {
    keys?.add(key);
    answer ??= begin(new Set([key]));
    return (await answer).get(key);
  };
}
