import { contiguous, gaps, withExtent } from '../../domain/extents.ts';
import {
  type Checkpointed,
  type PartialObject,
  type StagedKey,
  StagedMissing,
  type Staging,
} from '../../domain/staging.ts';

interface Partial {
  /** What is left when its writer is gone. */
  checkpointed: Checkpointed & { readonly bytes: Buffer };
  writer: object | undefined;
}

const nothing = { note: null, written: [], sealed: null, bytes: Buffer.alloc(0) };

/** Staging in this process alone, for fast tests. */
export function memoryStaging(): Staging {
  const objects = new Map<string, Buffer>();
  const partials = new Map<string, Partial>();
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
    async resume(key) {
      const name = nameOf(key);
      const partial = partials.get(name) ?? { checkpointed: nothing, writer: undefined };
      partials.set(name, partial);
      return partialObject(key, partial, {
        isThere: () => partials.get(name) === partial,
        show: (bytes) => objects.set(name, bytes),
      });
    },
    async open(key) {
      const name = nameOf(key);
      const opened = objects.get(name);
      if (opened === undefined) throw new StagedMissing(key);
      const bytes = (): Buffer => objects.get(name) ?? opened;
      const partial = partials.get(name);
      return {
        path: null,
        watermark: async () =>
          partial === undefined ? bytes().length : contiguous(partial.checkpointed.written),
        read: async (into, offset) => (offset < bytes().length ? bytes().copy(into, 0, offset) : 0),
        close: async () => {},
      };
    },
    workspace: async () => null,
    async remove(key) {
      objects.delete(nameOf(key));
      partials.delete(nameOf(key));
    },
    async *list() {
      for (const name of objects.keys()) {
        const [imageId = '', uploadId = ''] = name.split('/');
        yield { imageId, uploadId };
      }
    },
  };
}

function partialObject(
  key: StagedKey,
  partial: Partial,
  { isThere, show }: { isThere: () => boolean; show: (bytes: Buffer) => void },
): PartialObject {
  const writer = {};
  partial.writer = writer;
  let { bytes, ...state } = partial.checkpointed;
  bytes = Buffer.from(bytes);
  show(bytes);
  const step = async <T>(work: () => T): Promise<T> => {
    if (partial.writer !== writer || !isThere()) throw new StagedMissing(key);
    return work();
  };
  const requireOpen = (): void => {
    if (state.sealed !== null) throw new TypeError('the staged object is sealed');
  };
  const save = (): void => {
    partial.checkpointed = { ...state, bytes: Buffer.from(bytes) };
  };
  return {
    path: null,
    state: () => state,
    read: (into, offset) => step(() => (offset < bytes.length ? bytes.copy(into, 0, offset) : 0)),
    writeAt: (offset, chunks) =>
      step(() => {
        requireOpen();
        const added = Buffer.concat(chunks);
        const end = offset + added.length;
        const grown = Buffer.alloc(Math.max(bytes.length, end));
        bytes.copy(grown);
        added.copy(grown, offset);
        bytes = grown;
        show(bytes);
        state = { ...state, written: withExtent(state.written, { start: offset, end }) };
      }),
    checkpoint: (note) =>
      step(() => {
        requireOpen();
        state = { ...state, note };
        save();
      }),
    reset: () =>
      step(() => {
        requireOpen();
        ({ bytes, ...state } = nothing);
        show(bytes);
        save();
      }),
    seal: (size, note) =>
      step(() => {
        requireOpen();
        if (gaps(state.written, size).length > 0)
          throw new RangeError(`not all of ${size} bytes are written`);
        bytes = bytes.subarray(0, size);
        show(bytes);
        state = { note, written: size > 0 ? [{ start: 0, end: size }] : [], sealed: size };
        save();
      }),
    async close() {
      if (partial.writer === writer) partial.writer = undefined;
    },
  };
}
