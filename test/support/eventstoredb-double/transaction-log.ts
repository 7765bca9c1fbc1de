import { type Bell, bell } from '../../../infra/event-log/bell.ts';

/** One event as the server keeps it. */
export interface Kept {
  readonly position: bigint;
  /** Where the next record begins. */
  readonly end: bigint;
  readonly stream: string;
  readonly revision: number;
  readonly event: Proposed;
  readonly created: Date;
}

export interface Proposed {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

export type Expected = number | 'any' | 'exists';

export type Outcome =
  | { readonly kind: 'appended'; readonly revision: number; readonly position: bigint }
  | { readonly kind: 'conflict'; readonly current: number };

/**
 * The transaction file: what outlives a restart of the double. Positions are offsets in bytes, as in the real one, and
 * every few appends the server writes events of its own between the others.
 */
export interface TransactionLog {
  readonly all: readonly Kept[];
  readonly news: Bell;
  stream(name: string): readonly Kept[];
  append(stream: string, expected: Expected, events: readonly Proposed[]): Outcome;
  /** Index of the first record at a position or above; undefined when a record lies across it. */
  indexAt(position: bigint): number | undefined;
}

const statsEvery = 3;

export function transactionLog(): TransactionLog {
  const all: Kept[] = [];
  const streams = new Map<string, Kept[]>();
  const news = bell();
  let appends = 0;

  const write = (stream: string, event: Proposed): Kept => {
    const ofStream = streams.get(stream) ?? [];
    streams.set(stream, ofStream);
    const position = all.at(-1)?.end ?? 0n;
    const size = 90 + stream.length + event.type.length + event.data.length + event.metadata.length;
    const end = position + BigInt(size);
    const kept = { position, end, stream, revision: ofStream.length, event, created: new Date() };
    ofStream.push(kept);
    all.push(kept);
    return kept;
  };
  const own = (stream: string, type: string) =>
    write(stream, {
      id: crypto.randomUUID(),
      type,
      contentType: 'application/json',
      data: Buffer.from('{"from":"the server"}'),
      metadata: Buffer.from(''),
    });
  own('$epoch-information', '$EpochInformation');
  own('$users', '$User');

  return {
    all,
    news,
    stream: (name) => streams.get(name) ?? [],
    append(stream, expected, events) {
      const there = streams.get(stream) ?? [];
      const current = there.length - 1;
      const from = typeof expected === 'number' ? expected + 1 : there.length;
      const same = there.slice(from, from + events.length);
      const isRepeat =
        same.length === events.length &&
        same.every(({ event }, index) => event.id === events[index]?.id);
      const repeated = same.at(-1);
      if (isRepeat && repeated !== undefined)
        return { kind: 'appended', revision: repeated.revision, position: repeated.position };
      if (expected === 'exists' ? current < 0 : expected !== 'any' && expected !== current)
        return { kind: 'conflict', current };
      appends += 1;
      if (appends % statsEvery === 0) own('$stats-127.0.0.1:2113', '$statsCollected');
      const last = events.map((event) => write(stream, event)).at(-1);
      if (appends % (2 * statsEvery) === 0) own(`$$${stream}`, '$metadata');
      news.ring();
      return {
        kind: 'appended',
        revision: last?.revision ?? current,
        position: last?.position ?? 0n,
      };
    },
    indexAt(position) {
      let [low, high] = [0, all.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((all[middle]?.position ?? 0n) < position) low = middle + 1;
        else high = middle;
      }
      const before = all[low - 1];
      return before !== undefined && before.end > position ? undefined : low;
    },
  };
}
