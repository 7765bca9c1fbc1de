import { isDeepStrictEqual } from 'node:util';
import type { EventLog } from '../../../domain/event-log.ts';
import { exposureOf } from '../../../domain/outside/exposure.ts';
import type { Heard, Subscriber } from './subscriber.ts';

/** A fact of the log of which integrators are told. */
export type Due = Pick<Heard, 'id' | 'position'>;

/** What the log itself has for integrators about images, oldest first. */
export async function allDue(log: Pick<EventLog, 'readAll'>): Promise<readonly Due[]> {
  const due: Due[] = [];
  for (let last = 0n; ; ) {
    const events = await log.readAll(last, 10_000);
    const newest = events.at(-1);
    if (newest === undefined) return due;
    last = newest.position;
    for (const { streamId, type, id, position } of events)
      if (exposureOf({ streamId, type }) !== 'inside') due.push({ id, position });
  }
}

export const hasAll = ({ heard }: Subscriber, due: readonly Due[]): boolean => {
  const ids = new Set(heard.map(({ id }) => id));
  return due.every(({ id }) => ids.has(id));
};

/** The rule for consumers: what is not above the last position that was seen is a repeat. */
export function withoutRepeats(heard: readonly Heard[]): readonly Heard[] {
  let last = 0n;
  return heard.filter(({ position }) => {
    const isNew = position > last;
    if (isNew) last = position;
    return isNew;
  });
}

/** Everything that a subscriber was promised and did not get. */
export function wrongWith(
  { kind, heard, order }: Subscriber,
  due: readonly Due[],
): readonly string[] {
  const problems: string[] = [];
  const wanted = new Set(due.map(({ id }) => id));
  const documents = new Map<string, Heard>();
  const lastOf = new Map<string, bigint>();
  for (const one of heard) {
    const { id, subject, position, document } = one;
    const before = documents.get(id);
    if (before !== undefined && !isDeepStrictEqual(before.document, document))
      problems.push(`${kind}: ${id} is another document the second time`);
    if (before !== undefined) continue;
    documents.set(id, one);
    if (!wanted.has(id)) problems.push(`${kind}: ${id} at ${position} is not in the log`);
    if (position <= (lastOf.get(subject) ?? 0n))
      problems.push(`${kind}: ${subject} is out of order at ${position}`);
    lastOf.set(subject, position);
  }
  const missing = due.filter(({ id }) => !documents.has(id)).map(({ position }) => position);
  if (missing.length > 0)
    problems.push(`${kind}: ${missing.length} are missing: ${missing.slice(0, 10).join(', ')}`);
  if (order === 'of each image') return problems;
  const got = withoutRepeats(heard).map(({ position }) => position);
  const first = due.findIndex(({ position }, index) => got[index] !== position);
  if (first >= 0 || got.length !== due.length)
    problems.push(`${kind}: ${got[first]} comes where ${due[first]?.position} was due`);
  return problems;
}

/** Where two subscribers were told differently of one event. */
export function differencesBetween(one: Subscriber, other: Subscriber): readonly string[] {
  const documents = new Map(other.heard.map(({ id, document }) => [id, document]));
  return one.heard
    .filter(({ id, document }) => !isDeepStrictEqual(documents.get(id) ?? document, document))
    .map(({ id }) => `${one.kind} and ${other.kind} differ about ${id}`);
}
