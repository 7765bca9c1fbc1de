import { type Md5Functions, md5Module, places, stepConstants } from './md5-module.ts';

/** What Node has of WebAssembly and its types do not name. */
declare const WebAssembly: {
  validate(code: Uint8Array): boolean;
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** How far the MD5 of one stream is: whole blocks only. */
export interface Md5State {
  readonly words: Uint32Array;
}

/** What is in a lane's buffer: `count` bytes of the stream that follow what its state has seen. */
export interface Filled {
  readonly state: Md5State;
  readonly count: number;
}

/** MD5 of up to eight streams at once, each in a buffer of its own. See `md5Module` for why. */
export interface Md5Lanes {
  /** All of the same length, whole blocks. */
  readonly buffers: readonly Uint8Array[];
  /** Lane by lane what is in the buffers. Takes whole blocks, gives how many bytes of each; the rest has to be given again. */
  update(lanes: readonly Filled[]): readonly number[];
  /** The digest in hex of a stream of `size` bytes, given the rest behind its last whole block. Uses the first buffer. */
  digest(state: Md5State, rest: Uint8Array, size: number): string;
}

const md5BlockBytes = 64;
const mostLanes = 8;
const pageBytes = 65_536;
const initial = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
/** Behind a stream come a one bit, zeros, and these bytes with its length in bits. */
const lengthBytes = 8;

export const md5State = (): Md5State => ({ words: Uint32Array.from(initial) });

/** Undefined where this processor has no vectors of 128 bits that WebAssembly could use. */
export function md5Lanes(bufferBytes: number): Md5Lanes | undefined {
  const code = md5Module();
  if (!WebAssembly.validate(code)) return undefined;
  const pages = 1 + Math.ceil((mostLanes * bufferBytes) / pageBytes);
  const memory = new WebAssembly.Memory({ initial: pages });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  const { one, four, eight } = exports as Md5Functions;
  const view = new DataView(memory.buffer);
  const setWord = (at: number, value: number): void => view.setUint32(at, value, true);
  for (const [step, value] of stepConstants.entries())
    for (const lane of [0, 4, 8, 12]) setWord(places.constant(step) + lane, value);

  const bufferAt = (lane: number): number => pageBytes + lane * bufferBytes;
  const buffers = Array.from(
    { length: mostLanes },
    (_, lane) => new Uint8Array(memory.buffer, bufferAt(lane), bufferBytes),
  );

  const run = (runs: readonly Run[], blocks: number): void => {
    const [first] = runs;
    const [take, lanes] = forSoMany(runs.length);
    // Lanes that are left over go where the first goes, and nobody looks at what comes of it.
    for (let lane = 0; lane < lanes; lane++)
      setWord(places.pointer(lane), (runs[lane] ?? first)?.at ?? 0);
    for (const [lane, { state }] of runs.entries())
      for (const [word, value] of state.words.entries()) setWord(places.state(lane, word), value);
    take(blocks);
    for (const [lane, run] of runs.entries()) {
      for (const word of run.state.words.keys())
        run.state.words[word] = view.getUint32(places.state(lane, word), true);
      run.at += blocks * md5BlockBytes;
      run.blocks -= blocks;
    }
  };

  const forSoMany = (count: number) => {
    if (count === 1) return [one, 1] as const;
    return count <= 4 ? ([four, 4] as const) : ([eight, 8] as const);
  };

  const update = (lanes: readonly Filled[]): readonly number[] => {
    const all = lanes.map(({ state, count }, lane) => {
      return { state, at: bufferAt(lane), blocks: Math.floor(count / md5BlockBytes) };
    });
    for (;;) {
      const runs = all.filter(({ blocks }) => blocks > 0);
      if (runs.length === 0) return all.map(({ at }, lane) => at - bufferAt(lane));
      run(runs, Math.min(...runs.map(({ blocks }) => blocks)));
    }
  };

  return {
    buffers,
    update,
    digest({ words }, rest, size) {
      const state = { words: words.slice() };
      const padded = paddedTo(rest, size);
      buffers[0]?.set(padded);
      update([{ state, count: padded.length }]);
      const bytes = new DataView(new ArrayBuffer(16));
      for (const [word, value] of state.words.entries()) bytes.setUint32(4 * word, value, true);
      return Buffer.from(bytes.buffer).toString('hex');
    },
  };
}

interface Run {
  readonly state: Md5State;
  at: number;
  blocks: number;
}

function paddedTo(rest: Uint8Array, size: number): Uint8Array {
  const blocks = Math.ceil((rest.length + 1 + lengthBytes) / md5BlockBytes);
  const padded = new Uint8Array(blocks * md5BlockBytes);
  padded.set(rest);
  padded[rest.length] = 0x80;
  new DataView(padded.buffer).setBigUint64(padded.length - lengthBytes, BigInt(size) * 8n, true);
  return padded;
}
