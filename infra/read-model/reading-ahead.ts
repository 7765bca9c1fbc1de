import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';

/** Batches that are read, or being read, beside the one that is worked on. */
const ahead = 2;

/**
 * What is in the log above `after`, in batches of at most `limit`, until there is no more. The log reads on while a batch
 * is worked on. Whoever stops early does not wait for what is being read, and its failure is nobody's then.
 */
export async function* readingAhead(
  log: Pick<EventLog, 'readAll'>,
  after: bigint,
  limit: number,
): AsyncGenerator<readonly RecordedEvent[]> {
  const begun: Promise<readonly RecordedEvent[]>[] = [];
  const begin = (): void => {
    const before = begun.at(-1);
    const reading =
      before === undefined
        ? log.readAll(after, limit)
        : before.then((batch) => {
            const last = batch.at(-1);
            return last === undefined ? [] : log.readAll(last.position, limit);
          });
    reading.catch(() => undefined);
    begun.push(reading);
  };
  for (;;) {
    while (begun.length <= ahead) begin();
    const batch = await begun.shift();
    if (batch === undefined || batch.length === 0) return;
    yield batch;
  }
}
