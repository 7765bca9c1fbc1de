import { type StagedKey, StagedMissing, type Staging } from '../../domain/staging.ts';

/** Staging in this process alone, for fast tests. */
export function memoryStaging(): Staging {
  const objects = new Map<string, Buffer>();
  const nameOf = ({ imageId, uploadId }: StagedKey): string => `${imageId}/${uploadId}`;
  return {
    async create(key) {
      const name = nameOf(key);
      if (objects.has(name)) throw new Error(`${name} is staged already`);
      objects.set(name, Buffer.alloc(0));
      let bytes = Buffer.alloc(0);
      return {
        async write(chunks) {
          bytes = Buffer.concat([bytes, ...chunks]);
          objects.set(name, bytes);
        },
        seal: async () => bytes.length,
        async abort() {
          objects.delete(name);
        },
      };
    },
    async open(key) {
      const name = nameOf(key);
      const opened = objects.get(name);
      if (opened === undefined) throw new StagedMissing(key);
      const bytes = (): Buffer => objects.get(name) ?? opened;
      return {
        path: null,
        watermark: async () => bytes().length,
        read: async (into, offset) => (offset < bytes().length ? bytes().copy(into, 0, offset) : 0),
        close: async () => {},
      };
    },
    async remove(key) {
      objects.delete(nameOf(key));
    },
    async *list() {
      for (const name of objects.keys()) {
        const [imageId = '', uploadId = ''] = name.split('/');
        yield { imageId, uploadId };
      }
    },
  };
}
