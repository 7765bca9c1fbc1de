import type { Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { nearHolder } from '../../infra/near/holder.ts';
import { type Checkpoints, visible } from '../../infra/read-model/visible.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Images, Visible } from '../../projections/images/images.ts';
import { nearImages } from '../../projections/images/near-images.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
import { HttpError } from './http-error.ts';
import type { LogTail } from './log-tail.ts';

export interface NearOptions {
  readonly images: Images;
  readonly shown: Checkpoints;
  /** Of the log itself: a bus may be away while the log goes on. */
  readonly tail: LogTail;
  readonly pool: Pool;
  readonly postgresUrl: string;
  readonly owner: string;
  readonly logger: Logger;
  /** Told of each event before this process says that it has heard of it. */
  readonly heard: (event: RecordedEvent) => void;
  /** MiB for images, and as much for pages; 0 keeps nothing. */
  readonly cacheMib: number;
}

export interface Near {
  readonly images: Images;
  /** As `shown`, and no gateway answers from memory any more what was changed. */
  readonly visible: Visible;
  /** Whether everybody who answers a success waits for what this process has heard. */
  isCurrent(): boolean;
  /** To be called when what was known of the read models may be wrong. */
  forget(): void;
  stop(): Promise<void>;
}

const patienceMs = 10_000;
const startPatienceMs = 5_000;

/** What was acknowledged before a crash may have to be made again before anybody asks; not waited for longer than a projector takes to start. */
export async function caughtUpAtStart(
  pool: Pool,
  postgresUrl: string,
  {
    models,
    to,
    logger,
  }: { readonly models: readonly string[]; readonly to: bigint; readonly logger: Logger },
): Promise<void> {
  const shown = visible(pool, postgresUrl, { log: logger, models });
  await shown.waitFor(to, startPatienceMs).catch(() => {
    logger.warn({ models, position: to }, 'read models are behind the log; answering from them');
  });
  await shown.close();
}

/** Images that this gateway answers from memory, and waiting for the other gateways that do. */
export function near(options: NearOptions): Near {
  const { images, shown, tail, pool, postgresUrl, owner, logger, cacheMib } = options;
  const holder = nearHolder(pool, postgresUrl, {
    owner,
    model: imagesProjection.name,
    heard: tail.start,
    holds: cacheMib > 0,
    onSwap: () => kept?.forget(),
    log: logger,
  });
  /** What was acknowledged before a crash of Postgres may have to be made again first. */
  const regained = (): Promise<void> =>
    shown.regained(patienceMs).catch((cause: unknown) => {
      throw new HttpError(503, 'The newest changes cannot be shown yet: try again.', { cause });
    });
  const read: Images = {
    ...images,
    show: async (imageId) => {
      await regained();
      return images.show(imageId);
    },
    list: async (query) => {
      await regained();
      return images.list(query);
    },
  };
  const standing = { isCurrent: holder.isCurrent, reached: shown.reached };
  const kept =
    cacheMib > 0 ? nearImages(read, standing, { weight: cacheMib * 1024 * 1024 }) : undefined;
  tail.listenToAll((event) => {
    shown.heard(event);
    kept?.heard(event);
    options.heard(event);
    holder.heard(event.position);
  });
  return {
    images: kept ?? read,
    visible: {
      async waitFor(position, timeoutMs) {
        const began = performance.now();
        await shown.waitFor(position, timeoutMs);
        // Only then: who begins to answer from memory after this has read what is shown.
        await holder.waitFor(position, timeoutMs - (performance.now() - began));
      },
    },
    isCurrent: holder.isCurrent,
    forget: () => kept?.forget(),
    stop: holder.stop,
  };
}
