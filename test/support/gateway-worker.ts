import { createHash, randomUUID } from 'node:crypto';
import { handleImage } from '../../apps/handle-image.ts';
import type { EventLog, RecordedEvent } from '../../domain/event-log.ts';
import type { IngestResult, PipelineCommand } from '../../domain/image/commands.ts';
import type { ImageEvent } from '../../domain/image/events.ts';
import type { Staging } from '../../domain/staging.ts';
import { type Store, storeKey } from '../../domain/store.ts';

/** Speaks to the log as a worker does, one step at a time. */
export function pipeline(log: EventLog, owner = 'worker-test') {
  const handle = handleImage(log);
  return (imageId: string, command: PipelineCommand) =>
    handle(
      `image-${imageId}`,
      command,
      {
        commandId: randomUUID(),
        metadata: {
          actor: { kind: 'system', part: owner },
          requestId: 'req-worker',
          correlationId: randomUUID(),
        },
      },
      AbortSignal.timeout(10_000),
    );
}

/** Ingests every staged upload at once, without looking into it, until `signal` aborts. */
export async function eagerWorker(
  {
    log,
    staging,
    writerOf,
  }: { log: EventLog; staging: Staging; writerOf: (store: string) => Store },
  signal: AbortSignal,
): Promise<void> {
  const tell = pipeline(log);
  for await (const batch of log.follow(0n, signal))
    for (const recorded of batch) {
      const event = recorded as RecordedEvent & ImageEvent;
      if (event.type !== 'UploadStaged' && event.type !== 'ImportRequested') continue;
      const imageId = recorded.streamId.slice('image-'.length);
      const { uploadId } = event.data;
      const size = await readySize(log, recorded.streamId, event.type);
      if (size === undefined) continue;
      await tell(imageId, { type: 'ClaimIngest', uploadId, supersedes: 0, owner: 'worker-test' });
      const store = await storeNamedIn(log, recorded.streamId);
      const copy = { id: store, writer: writerOf(store) };
      const result = await stored(staging, copy, { imageId, uploadId }, size);
      await tell(imageId, { type: 'CompleteIngest', uploadId, epoch: 1, result });
      await staging.remove({ imageId, uploadId });
    }
}

/** Of what is to be worked on after this event: what is staged waits for its import. */
async function readySize(
  log: EventLog,
  streamId: string,
  after: ImageEvent['type'],
): Promise<number | undefined> {
  const events = (await log.readStream(streamId)).events as unknown as readonly ImageEvent[];
  const started = events.findLast((event) => event.type === 'UploadStarted');
  const isStage = started?.type === 'UploadStarted' && started.data.purpose === 'stage';
  if (isStage !== (after === 'ImportRequested')) return undefined;
  const staged = events.findLast((event) => event.type === 'UploadStaged');
  return staged?.type === 'UploadStaged' ? staged.data.size : undefined;
}

async function storeNamedIn(log: EventLog, streamId: string): Promise<string> {
  const events = (await log.readStream(streamId)).events as unknown as readonly ImageEvent[];
  const named = events.findLast(
    ({ type }) => type === 'UploadStarted' || type === 'ImportRequested',
  );
  if (named?.type === 'ImportRequested') return named.data.stores[0] ?? '';
  return named?.type === 'UploadStarted' ? named.data.store : '';
}

async function stored(
  staging: Staging,
  { id, writer }: { readonly id: string; readonly writer: Store },
  staged: { readonly imageId: string; readonly uploadId: string },
  size: number,
): Promise<IngestResult> {
  const reader = await staging.open(staged);
  const bytes = Buffer.alloc(size);
  await reader.read(bytes, 0);
  const key = storeKey(staged.imageId, staged.uploadId, 1);
  await writer.promote(reader, key, size, new AbortController().signal);
  await reader.close();
  return {
    stored: [{ store: id, key }],
    digests: { md5: hex('md5', bytes), sha512: hex('sha512', bytes) },
    algorithm: 'sha512',
    detected: 'raw',
    virtualSize: size,
  };
}

export const hex = (algorithm: string, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');
