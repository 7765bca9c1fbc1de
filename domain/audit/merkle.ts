/** SHA-256 of all the bytes given; the domain has no hash function of its own. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** Leaves from `begin` up to, without, `end`. */
export interface LeafRange {
  readonly begin: number;
  readonly end: number;
}

/** A perfect subtree of 2^level leaves, the `index`th of its level. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

export const hashBytes = 32;

/** Hash of a leaf (RFC 6962, 2.1): of a zero byte and the entry. */
export function leafHash(sha256: Sha256, entry: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(entry.length + 1);
  bytes.set(entry, 1);
  return sha256(bytes);
}

/** Hash of an inner node (RFC 6962, 2.1): of a one byte, the left and the right hash. */
export function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * hashBytes);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + hashBytes);
  return sha256(bytes);
}

/** The largest power of two below `count`: where RFC 6962 splits as many leaves. */
export function splitOf(count: number): number {
  let split = 1;
  while (2 * split < count) split *= 2;
  return split;
}

/**
 * The Merkle Tree Hash of these hashes (RFC 6962, 2.1), as if they were leaves. Where they are perfect subtrees of one
 * level, and the last is perhaps what is left to the right of them, it is that of their leaves.
 */
export function rootOf(sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array {
  const [first] = hashes;
  if (first === undefined) return sha256(new Uint8Array());
  if (hashes.length === 1) return first;
  const split = splitOf(hashes.length);
  return nodeHash(
    sha256,
    rootOf(sha256, hashes.slice(0, split)),
    rootOf(sha256, hashes.slice(split)),
  );
}

/** The perfect subtrees that a range of a tree is made of, from the left; its hash is theirs, put together by `joined`. */
export function nodesOf({ begin, end }: LeafRange): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let from = begin; from < end; ) {
    let [level, count] = [0, 1];
    while (2 * count <= end - from) [level, count] = [level + 1, 2 * count];
    nodes.push({ level, index: from / count });
    from += count;
  }
  return nodes;
}

/** The hash of a range, of the hashes of `nodesOf` it. */
export const joined = (sha256: Sha256, hashes: readonly Uint8Array[]): Uint8Array =>
  hashes.length === 0
    ? sha256(new Uint8Array())
    : hashes.reduceRight((right, left) => nodeHash(sha256, left, right));

/** The ranges whose hashes prove that a leaf is in the tree (RFC 6962, 2.1.1), beginning beside the leaf. */
export function inclusionProof(index: number, size: number): readonly LeafRange[] {
  const below = (begin: number, end: number): readonly LeafRange[] => {
    if (end - begin === 1) return [];
    const middle = begin + splitOf(end - begin);
    return index < middle
      ? [...below(begin, middle), { begin: middle, end }]
      : [...below(middle, end), { begin, end: middle }];
  };
  if (index < 0 || index >= size) throw new RangeError(`no leaf ${index} in a tree of ${size}`);
  return below(0, size);
}

/** The ranges whose hashes prove that a tree grew out of a smaller one (RFC 6962, 2.1.2). */
export function consistencyProof(first: number, second: number): readonly LeafRange[] {
  const below = (upTo: number, begin: number, end: number, isWhole: boolean): LeafRange[] => {
    if (upTo === end) return isWhole ? [] : [{ begin, end }];
    const middle = begin + splitOf(end - begin);
    return upTo <= middle
      ? [...below(upTo, begin, middle, isWhole), { begin: middle, end }]
      : [...below(upTo, middle, end, false), { begin, end: middle }];
  };
  if (first < 0 || first > second) throw new RangeError(`a tree of ${second} never had ${first}`);
  return first === 0 ? [] : below(first, 0, second, true);
}

const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);

const isOdd = (number: number): boolean => number % 2 === 1;
const half = (number: number): number => Math.floor(number / 2);

export interface Inclusion {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** RFC 9162, 2.1.3.2. */
export function isIncluded(sha256: Sha256, given: Inclusion): boolean {
  const { index, size, leaf, proof, root } = given;
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== hashBytes) return false;
    if (isOdd(at) || at === last) {
      hash = nodeHash(sha256, sibling, hash);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = nodeHash(sha256, hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && isSame(hash, root);
}

export interface Consistency {
  readonly first: number;
  readonly second: number;
  readonly firstRoot: Uint8Array;
  readonly secondRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** RFC 9162, 2.1.4.2; an empty tree has grown into every other. */
export function isConsistent(sha256: Sha256, given: Consistency): boolean {
  const { first, second, firstRoot, secondRoot, proof } = given;
  if (first < 0 || first > second) return false;
  if (first === second) return proof.length === 0 && isSame(firstRoot, secondRoot);
  if (first === 0) return proof.length === 0;
  const isPower = nodesOf({ begin: 0, end: first }).length === 1;
  const [start, ...rest] = isPower ? [firstRoot, ...proof] : proof;
  if (start === undefined || proof.length === 0) return false;
  let [at, last] = [first - 1, second - 1];
  while (isOdd(at)) [at, last] = [half(at), half(last)];
  let [before, after] = [start, start];
  for (const sibling of rest) {
    if (last === 0 || sibling.length !== hashBytes) return false;
    if (isOdd(at) || at === last) {
      before = nodeHash(sha256, sibling, before);
      after = nodeHash(sha256, sibling, after);
      while (!isOdd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else after = nodeHash(sha256, after, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && isSame(before, firstRoot) && isSame(after, secondRoot);
}
