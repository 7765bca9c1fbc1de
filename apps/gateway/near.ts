import type { Pool } from 'pg';
import type { RecordedEvent } from '../../domain/event-log.ts';
import { nearHolder } from '../../infra/near/holder.ts';
import type { Checkpoints } from '../../infra/read-model/visible.ts';
import type { Logger } from '../../infra/telemetry/logger.ts';
import type { Images, Visible } from '../../projections/images/images.ts';
import { nearImages } from '../../projections/images/near-images.ts';
import { imagesProjection } from '../../projections/images/projection.ts';
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
  const standing = { isCurrent: holder.isCurrent, reached: shown.reached };
  const kept =
    cacheMib > 0 ? nearImages(images, standing, { weight: cacheMib * 1024 * 1024 }) : undefined;
  tail.listenToAll((event) => {
    shown.heard(event);
    kept?.heard(event);
    options.heard(event);
    holder.heard(event.position);
  });
  return {
    images: kept ?? images,
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
