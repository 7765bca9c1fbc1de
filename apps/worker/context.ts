import type { CommandContext } from '../../domain/command-handler.ts';
import type { Metadata, RecordedEvent } from '../../domain/event-log.ts';
import { eventId } from '../../infra/event-id.ts';

/** Which request an upload came from; its work is done, and logged, in that request's name. */
export type Origin = Pick<Metadata, 'requestId' | 'correlationId' | 'globalRequestId'>;

export const streamOf = (imageId: string): string => `image-${imageId}`;

/** Undefined for the streams of other things. */
export const imageOf = (streamId: string): string | undefined =>
  streamId.startsWith('image-') ? streamId.slice('image-'.length) : undefined;

/** Of the request that began the upload, or that asked for its import; of the one that touched the image last, where there is no such upload. */
export function originOf(events: readonly RecordedEvent[], uploadId: string | null): Origin {
  const began = events.findLast(
    ({ type, data }) =>
      (type === 'UploadStarted' || type === 'ImportRequested') && data.uploadId === uploadId,
  );
  const { requestId, correlationId, globalRequestId } = (began ?? events.at(-1))?.metadata ?? {
    requestId: 'req-unknown',
    correlationId: 'req-unknown',
  };
  return {
    requestId,
    correlationId,
    ...(globalRequestId === undefined ? {} : { globalRequestId }),
  };
}

/** Of whoever asked for an import; none where that was the system itself. */
export function rolesOf(events: readonly RecordedEvent[], uploadId: string): readonly string[] {
  const { actor } =
    events.findLast(({ type, data }) => type === 'ImportRequested' && data.uploadId === uploadId)
      ?.metadata ?? {};
  return actor?.kind === 'user' ? actor.roles : [];
}

/** A command of the worker's own. The parts of `identity` say when it counts as the same command tried again. */
export const systemCommand = (
  origin: Origin,
  uploadId: string,
  ...identity: readonly (string | number)[]
): CommandContext => ({
  commandId: eventId(uploadId, identity.join('/'), 0),
  metadata: { ...origin, actor: { kind: 'system', part: 'worker' } },
});
