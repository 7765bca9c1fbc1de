#!/usr/bin/env node
/**
 * Checks a bundle of Daguerre's audit log, offline, with public keys alone. This file needs nothing but Node 20: it can be
 * copied away and read by whoever does not trust the rest.
 *
 *     node verifier.js BUNDLE --key NAME+ID+BASE64 [--key ...] [--seen CHECKPOINT-FILE ...]
 *
 * A bundle is JSON, one document a line:
 *
 *     {format, scope, from, to | image, checkpoint, handOvers, earlier}   what is claimed; checkpoint: C2SP tlog-checkpoint
 *     {tile, leaves, proof}     256 leaf hashes of the signed tree, and that they are in it; then what the log has there:
 *     {entry}                     the canonical bytes of an event
 *     {index, entry, proof}     of an image: one of its events, or
 *     {index, leaf, proof}        its hash alone, where the reader of the bundle may not see it
 *     {end, lines}              so that nothing is cut off
 *
 * Hashing is that of RFC 6962, proofs are verified as RFC 9162 (2.1.3.2, 2.1.4.2) says.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, readFileSync, realpathSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export interface Finding {
  readonly what:
    | 'altered'
    | 'missing'
    | 'inserted'
    | 'swapped'
    | 'truncated'
    | 'forged'
    | 'malformed';
  /** Where: leaf of the tree, counted from 0, and position in the log, as far as they are known. */
  readonly index: number | null;
  readonly position: string | null;
  readonly message: string;
}

export interface Report {
  readonly ok: boolean;
  readonly origin: string;
  readonly size: number;
  readonly scope: string;
  /** Events that were compared. */
  readonly events: number;
  readonly findings: readonly Finding[];
  /** Findings beyond those that are listed. */
  readonly more: number;
}

export interface VerifyOptions {
  /** `NAME+ID+BASE64`, of keys that are trusted; hand-overs lead from them to newer ones. */
  readonly keys: readonly string[];
  /** Checkpoints that the reader got earlier or elsewhere: the bundle must agree with them. */
  readonly seen?: readonly string[];
}

interface Head {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

interface Leaf {
  readonly index: number;
  readonly hash: string;
}

interface Entry {
  readonly position: string;
  readonly hash: string;
  readonly text: string;
}

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const [leafPrefix, nodePrefix] = [Buffer.from([0]), Buffer.from([1])];
const leafHash = (text: string): Buffer => sha256(leafPrefix, Buffer.from(text));
const nodeHash = (left: Uint8Array, right: Uint8Array) => sha256(nodePrefix, left, right);
const tileWidth = 256;
const hashBytes = 32;
const mostListed = 100;
/** How far apart the same event may be in the log and in the tree, and still be known again. */
const reach = 2_048;

/** The hashes of a tree's perfect subtrees, the largest first: enough to go on with it. */
function growing() {
  const nodes: { readonly leaves: number; readonly hash: Buffer }[] = [];
  return {
    append(hash: Buffer): void {
      let [node, last] = [{ leaves: 1, hash }, nodes.at(-1)];
      for (; last?.leaves === node.leaves; last = nodes.at(-1)) {
        node = { leaves: 2 * node.leaves, hash: nodeHash(last.hash, node.hash) };
        nodes.pop();
      }
      nodes.push(node);
    },
    root: (): Buffer =>
      nodes.length === 0
        ? sha256()
        : nodes.map(({ hash }) => hash).reduceRight((right, left) => nodeHash(left, right)),
  };
}

function rootOf(hashes: readonly Buffer[]): Buffer {
  const tree = growing();
  for (const hash of hashes) tree.append(hash);
  return tree.root();
}

const half = (number: number): number => Math.floor(number / 2);

function isIncluded(index: number, size: number, leaf: Buffer, proof: Buffer[], root: Buffer) {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  let [at, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = nodeHash(hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && hash.equals(root);
}

function isConsistent(first: Head, second: Head, proof: readonly Buffer[]): boolean {
  if (first.size === second.size) return proof.length === 0 && first.root.equals(second.root);
  if (first.size === 0 || first.size > second.size) return first.size === 0;
  let [at, last] = [first.size - 1, second.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  const [start, ...rest] = at === 0 ? [first.root, ...proof] : proof;
  if (start === undefined || proof.length === 0) return false;
  let [before, after] = [start, start];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      [before, after] = [nodeHash(sibling, before), nodeHash(sibling, after)];
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else after = nodeHash(after, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && before.equals(first.root) && after.equals(second.root);
}

/** Keys by name and id (C2SP signed-note); what does not fit its id is no key. */
function trusting(texts: readonly string[]) {
  const keys = new Map<string, ReturnType<typeof createPublicKey>>();
  const trust = (text: string): void => {
    const [, name = '', id = '', base64 = ''] =
      /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    const expected = sha256(Buffer.from(`${name}\n`), bytes).toString('hex', 0, 4);
    if (bytes.length !== 33 || bytes[0] !== 1 || expected !== id)
      throw new TypeError(`not a public key, which is written NAME+ID+BASE64: ${text}`);
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes.subarray(1)]);
    keys.set(`${name}+${id}`, createPublicKey({ key: spki, format: 'der', type: 'spki' }));
  };
  for (const text of texts) trust(text);
  /** The text of a note that a trusted key has signed. */
  const opened = (note: unknown): string | undefined => {
    const whole = String(note);
    const end = whole.lastIndexOf('\n\n');
    const text = whole.slice(0, end + 1);
    const verdicts = whole
      .slice(end + 2)
      .split('\n')
      .flatMap((line) => {
        const [, name, base64 = ''] = /^— (\S+) (\S+)$/.exec(line) ?? [];
        const bytes = Buffer.from(base64, 'base64');
        const key = keys.get(`${name}+${bytes.toString('hex', 0, 4)}`);
        return key === undefined ? [] : [verify(null, Buffer.from(text), key, bytes.subarray(4))];
      });
    return end >= 0 && verdicts.length > 0 && verdicts.every(Boolean) ? text : undefined;
  };
  return {
    head(note: unknown): Head | undefined {
      const text = opened(note);
      return text === undefined ? undefined : headFrom(text.split('\n'));
    },
    /** A key that a trusted one has handed over to is trusted from then on. */
    follow(handOvers: readonly unknown[]): void {
      for (const note of handOvers) {
        const [title, , , , key] = opened(note)?.split('\n') ?? [];
        if (title === 'daguerre.audit/key-hand-over/v1' && key !== undefined) trust(key);
      }
    },
  };
}

function headFrom([origin = '', size = '', root = '']: readonly string[]): Head | undefined {
  const head = { origin, size: Number(size), root: Buffer.from(root, 'base64') };
  const isHead = /^\d{1,16}$/.test(size) && head.root.length === hashBytes && origin !== '';
  return isHead ? head : undefined;
}

/** Compares the log with the leaves of the tree, both in their order, and says where they part. */
function comparing(find: (finding: Finding) => void) {
  let [leaves, entries]: [Leaf[], Entry[]] = [[], []];
  const altered: { readonly leaf: Leaf; readonly entry: Entry }[] = [];
  let events = 0;
  const missing = ({ index }: Leaf, what: 'missing' | 'truncated'): void => {
    const before = `is not in the log any more`;
    find({ what, index, position: null, message: `the event of index ${index} ${before}` });
  };
  const inserted = ({ position }: Entry): void =>
    find({
      what: 'inserted',
      index: leaves[0]?.index ?? null,
      position,
      message: `the event at position ${position} was put in: the tree has none there`,
    });
  const compare = (isEnd: boolean): void => {
    let [atLeaf, atEntry] = [0, 0];
    for (;;) {
      const [leaf, entry] = [leaves[atLeaf], entries[atEntry]];
      if (leaf === undefined || entry === undefined) break;
      if (leaf.hash !== entry.hash) {
        const few = Math.min(leaves.length - atLeaf, entries.length - atEntry) < reach;
        if (few && !isEnd) break;
        const ahead = leaves.findIndex((one, at) => at > atLeaf && one.hash === entry.hash);
        const later = entries.findIndex((one, at) => at > atEntry && one.hash === leaf.hash);
        if (ahead > 0 && (later < 0 || ahead - atLeaf <= later - atEntry)) {
          while (atLeaf < ahead) missing(leaves[atLeaf++] ?? leaf, 'missing');
          continue;
        }
        if (later > 0) {
          while (atEntry < later) inserted(entries[atEntry++] ?? entry);
          continue;
        }
        altered.push({ leaf, entry });
      }
      [atLeaf, atEntry, events] = [atLeaf + 1, atEntry + 1, events + 1];
    }
    [leaves, entries] = [leaves.slice(atLeaf), entries.slice(atEntry)];
  };
  return {
    leaf: (leaf: Leaf) => void leaves.push(leaf),
    entry: (entry: Entry) => void entries.push(entry),
    compare,
    /** Gives how many events were compared. */
    end(): number {
      compare(true);
      for (const leaf of leaves) missing(leaf, 'truncated');
      leaves = [];
      for (const entry of entries) inserted(entry);
      reportAltered(altered, find);
      return events;
    },
  };
}

/** Two that are what the tree has of each other but for their positions were swapped. */
function reportAltered(
  altered: readonly { readonly leaf: Leaf; readonly entry: Entry }[],
  find: (finding: Finding) => void,
): void {
  const moved = ({ text, position }: Entry, to: string): string => {
    const at = text.lastIndexOf(`,"position":"${position}"`);
    return `${text.slice(0, at)},"position":"${to}"${text.slice(at + position.length + 14)}`;
  };
  const few = altered.slice(0, mostListed);
  for (const { leaf, entry } of altered) {
    const { index } = leaf;
    const { position } = entry;
    const other = few.find(
      (one) =>
        one.leaf.index !== index && digest(moved(entry, one.entry.position)) === one.leaf.hash,
    );
    if (other === undefined) {
      const message = `the event of index ${index}, at position ${position}, is not what was signed`;
      find({ what: 'altered', index, position, message });
    } else if (other.leaf.index > index)
      find({
        what: 'swapped',
        index,
        position,
        message: `the events of index ${index} and ${other.leaf.index}, at positions ${position} and ${other.entry.position}, have changed places`,
      });
  }
}

const digest = (text: string): string => leafHash(text).toString('latin1');
const hashesFrom = (list: unknown): Buffer[] =>
  Array.isArray(list) ? list.map((one) => Buffer.from(String(one), 'base64')) : [];

type Line = Readonly<Record<string, unknown>>;

/** Reads a whole bundle; what is wrong with it is in the report. Throws `TypeError` on a key that is none. */
export async function verifyBundle(
  lines: AsyncIterable<string> | Iterable<string>,
  { keys, seen = [] }: VerifyOptions,
): Promise<Report> {
  const findings: Finding[] = [];
  let [count, more, events, lineCount] = [0, 0, 0, 0];
  const find = (finding: Finding): void => {
    if (findings.length < mostListed) findings.push(finding);
    else more += 1;
  };
  const forged = (message: string, index: number | null = null): void =>
    find({ what: 'forged', index, position: null, message });
  const malformed = (message: string): void =>
    find({ what: 'malformed', index: null, position: null, message });
  const trusted = trusting(keys);
  const comparison = comparing(find);
  const whole = growing();
  let header: Line = {};
  let head: Head = { origin: '', size: 0, root: sha256() };
  let seenHeads: readonly Head[] = [];
  let isEnded = false;
  let [nextTile, lastIndex, revision] = [0, -1, 0];

  const begin = (line: Line): void => {
    header = line;
    if (line.format !== 'daguerre-audit-bundle/1') malformed('this is no bundle of this kind');
    trusted.follow(Array.isArray(line.handOvers) ? line.handOvers : []);
    const signed = trusted.head(line.checkpoint);
    if (signed === undefined) forged('the checkpoint is not signed by a key that is trusted');
    head = signed ?? headFrom(String(line.checkpoint).split('\n')) ?? head;
    nextTile = Math.floor(Number(line.from ?? 0) / tileWidth);
    const known = seen.map((note) => trusted.head(note));
    if (known.includes(undefined)) forged('a checkpoint that was seen is not signed by such a key');
    seenHeads = known.filter((one) => one !== undefined);
    for (const one of seenHeads) agree(one);
  };

  /** Where all leaves come by, the root of each size is made of them; else there must be a proof. */
  const agree = (one: Head): void => {
    const earlier = (Array.isArray(header.earlier) ? header.earlier : []) as readonly Line[];
    const proof = earlier.find(({ size }) => size === one.size)?.proof;
    const hasAllLeaves = header.scope === 'log' && header.from === 0 && header.to === head.size;
    if (one.origin !== head.origin) forged(`the checkpoint that was seen is of ${one.origin}`);
    else if (one.size > head.size) {
      const message = `a tree of ${one.size} events was signed, this one has ${head.size}: its end is missing`;
      find({ what: 'truncated', index: head.size, position: null, message });
    } else if (hasAllLeaves) return;
    else if (proof === undefined)
      malformed(`there is no proof that it grew out of the tree of ${one.size} events`);
    else if (!isConsistent(one, head, hashesFrom(proof)))
      forged(`the tree did not grow out of the one of ${one.size} events that was seen`);
  };

  const tile = ({ tile: number, leaves, proof }: Line): void => {
    const bytes = Buffer.from(String(leaves), 'base64');
    const index = Number(number);
    const width = Math.min(tileWidth, head.size - index * tileWidth);
    if (index !== nextTile || bytes.length !== width * hashBytes)
      malformed(`tile ${nextTile} of ${width} leaves was expected`);
    nextTile = index + 1;
    const hashes = Array.from({ length: bytes.length / hashBytes }, (_, at) =>
      bytes.subarray(at * hashBytes, (at + 1) * hashBytes),
    );
    const first = index * tileWidth;
    const tiles = Math.ceil(head.size / tileWidth);
    if (!isIncluded(index, tiles, rootOf(hashes), hashesFrom(proof), head.root))
      forged(`the leaves from index ${first} on are not those of the signed tree`, first);
    for (const [at, hash] of hashes.entries()) {
      const leaf = { index: first + at, hash: hash.toString('latin1') };
      if (leaf.index >= Number(header.from) && leaf.index < Number(header.to))
        comparison.leaf(leaf);
      whole.append(hash);
      for (const one of seenHeads)
        if (one.size === leaf.index + 1 && header.from === 0 && !one.root.equals(whole.root()))
          forged(`the tree of ${one.size} events is not the one that was seen`, one.size - 1);
    }
  };

  const ofImage = ({ index, leaf, entry, proof }: Line): void => {
    const at = Number(index);
    const event = typeof entry === 'string' ? parsed(entry) : undefined;
    const position = event === undefined ? null : String(event.position);
    if (index === null) {
      const message = `the event at position ${position} was put in: the tree has none there`;
      find({ what: 'inserted', index: null, position, message });
      return;
    }
    events += 1;
    const hash = typeof entry === 'string' ? leafHash(entry) : Buffer.from(String(leaf), 'base64');
    if (at <= lastIndex || !isIncluded(at, head.size, hash, hashesFrom(proof), head.root)) {
      const message = `the event of index ${at}, at position ${position}, is not what was signed`;
      find({ what: 'altered', index: at, position, message });
    }
    lastIndex = Math.max(lastIndex, at);
    if (event !== undefined && event.streamId !== `image-${header.image}`)
      malformed(`the event of index ${at} is of another image`);
    if (event !== undefined && Number(event.revision) !== revision) {
      const message = `before the event of index ${at}, revision ${revision} of the image is missing`;
      find({ what: 'missing', index: at, position, message });
      revision = Number(event.revision);
    }
    revision += 1;
  };

  for await (const text of lines) {
    const line = parsed(text);
    lineCount += 1;
    if (line === undefined) malformed(`line ${lineCount} is not JSON`);
    else if (lineCount === 1) begin(line);
    else if ('tile' in line) {
      comparison.compare(false);
      tile(line);
    } else if ('index' in line) ofImage(line);
    else if (typeof line.entry === 'string') {
      const position = String(parsed(line.entry)?.position);
      comparison.entry({ position, hash: digest(line.entry), text: line.entry });
    } else if ('end' in line) isEnded = line.lines === lineCount;
  }
  events += comparison.end();
  const isLog = header.scope === 'log';
  if (!isEnded || (isLog && nextTile !== Math.ceil(Number(header.to) / tileWidth)))
    malformed('the bundle ends early');
  count = findings.length;
  const scope = isLog ? `events ${header.from} to ${header.to}` : `image ${header.image}`;
  return { ok: count === 0, origin: head.origin, size: head.size, scope, events, findings, more };
}

function parsed(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** The report as people read it. */
export function reportText({ ok, origin, size, scope, events, findings, more }: Report): string {
  const lines = findings.map(({ what, message }) => `${what}: ${message}`);
  const rest = more === 0 ? [] : [`and ${more} more`];
  const verdict = ok
    ? `verified: ${scope}, ${events} compared with the signed tree of ${size} of ${origin}`
    : `NOT verified: ${scope} of ${origin}`;
  return `${[...lines, ...rest, verdict].join('\n')}\n`;
}

async function main(args: readonly string[]): Promise<number> {
  const values = (name: string): string[] =>
    args.flatMap((arg, at) => (args[at - 1] === name && arg !== undefined ? [arg] : []));
  const [bundle] = args;
  const keys = values('--key');
  if (bundle === undefined || bundle.startsWith('--') || keys.length === 0) {
    process.stderr.write(
      'Usage: verifier.js BUNDLE --key PUBLIC-KEY... [--seen CHECKPOINT-FILE...]\n',
    );
    return 2;
  }
  const seen = values('--seen').map((path) => readFileSync(path, 'utf8'));
  const input = createReadStream(bundle, 'utf8');
  const report = await verifyBundle(createInterface({ input, crlfDelay: Infinity }), {
    keys,
    seen,
  });
  process.stdout.write(reportText(report));
  return report.ok ? 0 : 1;
}

const started = process.argv[1];
if (started !== undefined && import.meta.url === pathToFileURL(realpathSync(started)).href)
  process.exit(await main(process.argv.slice(2)));
