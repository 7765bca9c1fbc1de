import { setTimeout as delay } from 'node:timers/promises';
import { type DownloadEvent, lostDownloadStream } from '../../../domain/download-record/events.ts';
import { type EventLog, type NewEvent, RevisionConflict } from '../../../domain/event-log.ts';
import { eventId } from '../../../infra/event-id.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { DownloadRecord, Downloads } from '../../../projections/downloads/downloads.ts';
import type { Visible } from '../../../projections/images/images.ts';

export interface LostPorts {
  readonly log: Pick<EventLog, 'head' | 'append'>;
  readonly records: Pick<Downloads, 'silent'>;
  /** Of the read model of downloads. */
  readonly visible: Visible;
  /** See `DeathWatch`. */
  readonly isDead: (writer: string) => boolean;
  readonly logger: Pick<Logger, 'warn'>;
  readonly everyMs?: number;
}

export interface LostDownloads {
  /** Says of those whose gateway died that they are lost. Never rejects: what is left is looked at the next time. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const usualEveryMs = 20_000;
const patienceMs = 5_000;

/** Every gateway looks after what others left behind. Of all that say so of a download the log takes the first. */
export function settleLost(ports: LostPorts): LostDownloads {
  const { everyMs = usualEveryMs, isDead, log, logger, records, visible } = ports;
  const stopping = new AbortController();

  const settle = async (): Promise<void> => {
    try {
      // Of an end that the log has and the read model has not, nobody shall say that there was none.
      await visible.waitFor(await log.head(), patienceMs);
      for (const download of await records.silent(everyMs))
        if (isDead(download.writer)) await tellLost(log, download);
    } catch (error) {
      if (!stopping.signal.aborted)
        logger.warn({ err: error }, 'downloads of dead gateways cannot be settled yet');
    }
  };

  const run = async (): Promise<void> => {
    for (;;) {
      await delay(everyMs, undefined, { signal: stopping.signal, ref: false }).catch(() => {});
      if (stopping.signal.aborted) return;
      await settle();
    }
  };
  const running = run();

  return {
    settle,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function tellLost(log: Pick<EventLog, 'append'>, download: DownloadRecord): Promise<void> {
  const { id, imageId, metadata, owner, writer } = download;
  const { requestId, correlationId } = metadata;
  const lost = {
    type: 'DownloadLost',
    data: { downloadId: id, imageId, owner, writer },
  } as const satisfies DownloadEvent;
  const event: NewEvent = {
    id: eventId(id, lost.type, 0),
    schemaVersion: 1,
    ...lost,
    metadata: {
      actor: { kind: 'system', part: 'gateway' },
      ...{ requestId, correlationId, causationId: download.eventId },
    },
  };
  try {
    await log.append(lostDownloadStream(id), [event], -1);
  } catch (error) {
    if (!(error instanceof RevisionConflict)) throw error; // another gateway has said so
  }
}
