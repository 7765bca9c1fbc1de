import { ObjectExists, ObjectMissing, type Store } from '../../domain/store.ts';

/** A store in this process alone, for fast tests. */
export function memoryStore(): Store {
  const objects = new Map<string, Buffer>();
  return {
    async promote(staged, key, size, signal) {
      signal.throwIfAborted();
      const bytes = Buffer.alloc(size);
      await staged.read(bytes, 0);
      if (objects.has(key)) throw new ObjectExists(key);
      objects.set(key, bytes);
    },
    async open(key) {
      const bytes = objects.get(key);
      if (bytes === undefined) throw new ObjectMissing(key);
      return {
        size: bytes.length,
        read: async (into, offset) => (offset < bytes.length ? bytes.copy(into, 0, offset) : 0),
        close: async () => {},
      };
    },
    async remove(key) {
      objects.delete(key);
    },
    async *list() {
      yield* objects.keys();
    },
  };
}
