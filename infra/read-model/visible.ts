import type { Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { NotYetVisible, type Visible } from '../../projections/images/images.ts';
import { listener } from '../postgres/listen.ts';
import type { Log } from '../postgres/log.ts';
import { channel, parseAnnouncement } from './announcement.ts';
import { waitingLine } from './waiting-line.ts';

export interface VisibleOptions {
  readonly log: Log;
  /** Read models that the API answers from. */
  readonly models: readonly string[];
  /** How often the checkpoints are read while somebody waits: announcements can be lost. */
  readonly pollMs?: number;
  /** Which events can change what a read model shows, by model; for who tells of them by `heard`. */
  readonly concerns?: Readonly<Record<string, (event: RecordedEvent) => boolean>>;
  /** What was known may be wrong from here on: Postgres may come back older than it was. */
  readonly onLost?: () => void;
}

export interface Checkpoints extends Visible {
  /** A position that every one of the read models has reached, as far as is known. */
  reached(): bigint;
  /**
   * To be told of every event of the log from some position on, in order. A read model that has in all events that
   * concern it is as good as one whose checkpoint has passed the others, too, which it does a little later.
   */
  heard(event: RecordedEvent): void;
  close(): Promise<void>;
}

/**
 * Follows the checkpoints of the live generations. What is known rises with announcements, which come on one
 * connection in the order of the commits; when that connection is lost nothing is known any more until the
 * checkpoints have been read again, since a Postgres that comes back may be older than what it announced.
 */
export function visible(
  pool: Pool,
  postgresUrl: string,
  { log, models, pollMs = 250, concerns = {}, onLost }: VisibleOptions,
): Checkpoints {
  const line = waitingLine();
  const known = new Map<string, bigint>();
  /** By model, the newest event that concerns it, or that nobody can say of whether it does. */
  const newest = new Map<string, bigint>();
  let heardUpTo: bigint | undefined;
  /** Counts connections, so that an answer from before a loss is not taken for knowledge after it. */
  let life = 0;
  let reading: Promise<void> | undefined;
  let poll: NodeJS.Timeout | undefined;

  const reachedBy = (model: string): bigint => {
    const checkpoint = known.get(model) ?? -1n;
    const concerned = newest.get(model);
    if (heardUpTo === undefined || concerned === undefined || checkpoint < concerned)
      return checkpoint;
    return checkpoint > heardUpTo ? checkpoint : heardUpTo;
  };

  const reached = (): bigint =>
    models.reduce((least: bigint | undefined, model) => {
      const position = reachedBy(model);
      return least === undefined || position < least ? position : least;
    }, undefined) ?? 0n;

  const advance = (): void => {
    line.advance(reached());
    if (line.length === 0) stopPolling();
  };

  const learn = (model: string, position: bigint): void => {
    if (!models.includes(model) || position <= (known.get(model) ?? -1n)) return;
    known.set(model, position);
    advance();
  };

  const read = async (): Promise<void> => {
    const asked = life;
    try {
      const { rows } = await pool.query<{ model: string; position: string }>({
        name: 'visible-checkpoints',
        text: `select model, position::text from read_model.generation where state = 'live'`,
      });
      if (asked !== life) return;
      for (const { model, position } of rows) learn(model, BigInt(position));
    } catch (error) {
      log.warn({ err: error }, 'the checkpoints of the read models cannot be read');
    }
  };
  /** One reading at a time, however many want one. */
  const readOnce = (): void => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
  };
  const forget = (): void => {
    life += 1;
    known.clear();
    // Only what is heard from here on can be judged.
    heardUpTo = undefined;
    onLost?.();
  };
  const stopPolling = (): void => {
    clearInterval(poll);
    poll = undefined;
  };

  const listening = listener(
    postgresUrl,
    [channel],
    (_, payload) => {
      const heard = parseAnnouncement(payload);
      if (heard !== undefined) learn(heard.model, heard.position);
    },
    { log, onConnect: readOnce, onLost: forget },
  );

  return {
    reached,
    heard(event) {
      const isFirst = heardUpTo === undefined;
      heardUpTo = event.position;
      for (const model of models)
        if (isFirst || (concerns[model]?.(event) ?? true)) newest.set(model, event.position);
      if (line.length > 0) advance();
    },
    waitFor(position, timeoutMs) {
      if (reached() >= position) return Promise.resolve();
      if (known.size < models.length) readOnce();
      poll ??= setInterval(readOnce, pollMs);
      return new Promise((resolve, reject) => {
        const leave = line.join(position, () => {
          clearTimeout(timer);
          resolve();
        });
        const timer = setTimeout(() => {
          leave();
          if (line.length === 0) stopPolling();
          reject(new NotYetVisible(position));
        }, timeoutMs);
      });
    },
    async close() {
      stopPolling();
      await listening.close();
      await reading;
    },
  };
}
