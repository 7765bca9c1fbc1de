import { setTimeout as delay } from 'node:timers/promises';
import { isOver } from '../../../domain/bulk/state.ts';
import { noProgress, type ProgressReader } from '../../../infra/progress/progress.ts';
import type { Logger } from '../../../infra/telemetry/logger.ts';
import type { BulkImports, BulkRecord, ItemRecord } from '../../../projections/bulk/imports.ts';
import type { GatewayContext } from '../call.ts';
import { writeTo } from '../events/outlet.ts';
import { HttpError } from '../http-error.ts';
import { bulkDocument, type ItemDocument, itemDocument } from './documents.ts';

export interface ProgressPorts {
  readonly imports: Pick<BulkImports, 'show' | 'items' | 'inWork'>;
  readonly progress: ProgressReader;
  readonly logger: Logger;
}

const everyMs = 1_000;
const heartbeatMs = 15_000;
const stallMs = 60_000;
const mostStreams = 200;
const mostShown = 50;

/** An import and those of its items that are in work, as it is now. */
export async function snapshot(record: BulkRecord, ports: ProgressPorts) {
  const { imports } = ports;
  const inWork = await imports.inWork(record.id);
  const isIdle = inWork.fetching + inWork.ingesting === 0;
  const items = isIdle
    ? []
    : await imports.items(record.id, {
        statuses: ['fetching', 'ingesting'],
        after: -1,
        limit: mostShown,
      });
  return { ...bulkDocument(record, inWork), in_work: await withProgress(items, ports) };
}

/** Items as they are shown, and how far their bytes are, as far as that can be known. */
export async function withProgress(
  items: readonly ItemRecord[],
  { progress, logger }: Pick<ProgressPorts, 'progress' | 'logger'>,
): Promise<readonly ItemDocument[]> {
  const attempts = items.flatMap(({ uploadId }) => (uploadId === null ? [] : [uploadId]));
  const known = await (attempts.length === 0 ? noProgress : progress)
    .find(attempts)
    .catch((error) => {
      logger.warn({ err: error }, 'progress of imports cannot be looked up');
      return noProgress.find([]);
    });
  return items.map((item) => itemDocument(item, known.get(item.uploadId ?? '')));
}

/** Tells how far an import is, once a second where that changes, until it is over or nobody listens. */
export function progressStreams(ports: ProgressPorts) {
  let open = 0;
  return async function serve(
    ctx: GatewayContext,
    importId: string,
    mayStillSee: () => Promise<boolean>,
  ): Promise<void> {
    if (open >= mostStreams)
      throw new HttpError(503, 'No more streams are served here just now.', {
        headers: { 'Retry-After': '1' },
      });
    const { res } = ctx;
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    const write = (text: string) => writeTo(res, text, stallMs, gone.signal);
    open += 1;
    try {
      ctx.respond = false;
      res.writeHead(200, {
        'Content-Type': 'text/event-stream; charset=utf-8',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
        'x-openstack-request-id': ctx.call.requestId,
      });
      let last = '';
      let spokenAt = performance.now();
      while (!gone.signal.aborted) {
        const record = await ports.imports.show(importId);
        if (record === undefined) break;
        const text = JSON.stringify(await snapshot(record, ports));
        const isSilent = performance.now() - spokenAt >= heartbeatMs;
        if (isSilent && !(await mayStillSee())) break;
        if (text !== last) await write(`event: progress\ndata: ${text}\n\n`);
        else if (isSilent) await write(': still here\n\n');
        if (text !== last || isSilent) spokenAt = performance.now();
        last = text;
        if (isOver(record)) break;
        await delay(everyMs, undefined, { signal: gone.signal }).catch(() => {});
      }
    } catch {
      // The client is gone, or does not read; nothing more can be said to it.
    } finally {
      open -= 1;
      res.end();
    }
  };
}
