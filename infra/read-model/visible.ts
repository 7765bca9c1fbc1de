import type { Pool } from 'pg';
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
  /** What was known may be wrong from here on: Postgres may come back older than it was. */
  readonly onLost?: () => void;
}

export interface Checkpoints extends Visible {
  /** A position that every one of the read models has reached, as far as is known. */
  reached(): bigint;
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
  { log, models, pollMs = 250, onLost }: VisibleOptions,
): Checkpoints {
  const line = waitingLine();
  const known = new Map<string, bigint>();
  /** Counts connections, so that an answer from before a loss is not taken for knowledge after it. */
  let life = 0;
  let reading: Promise<void> | undefined;
  let poll: NodeJS.Timeout | undefined;

  const reached = (): bigint =>
    models.reduce((least: bigint | undefined, model) => {
      const position = known.get(model) ?? -1n;
      return least === undefined || position < least ? position : least;
    }, undefined) ?? 0n;

  const learn = (model: string, position: bigint): void => {
    if (!models.includes(model) || position <= (known.get(model) ?? -1n)) return;
    known.set(model, position);
    line.advance(reached());
    if (line.length === 0) stopPolling();
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
