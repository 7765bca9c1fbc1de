import { type DownloadEvent, isDownloadStream } from '../../domain/download-record/events.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Entry } from '../projection.ts';
import type { DownloadRecord } from './downloads.ts';

export type DownloadParts = { readonly download: DownloadRecord };

export const downloadIdOf = ({ streamId, data }: RecordedEvent): string | undefined =>
  isDownloadStream(streamId) && typeof data.downloadId === 'string' ? data.downloadId : undefined;

/** What is told last is told whole; nothing comes behind an end, not even that end once more. */
export function fold(entry: Entry<DownloadParts>, recorded: RecordedEvent): Entry<DownloadParts> {
  const { type, data } = recorded as unknown as DownloadEvent;
  const { position, recordedAt, metadata, id } = recorded;
  const { download } = entry;
  if (type === 'DownloadBegun') {
    const { downloadId, ...begun } = data;
    return {
      download: {
        ...begun,
        ...{ id: downloadId, position, eventId: id, begunAt: recordedAt, metadata },
        ...{ toldPosition: position, toldAt: recordedAt, ended: false, sent: null },
      },
    };
  }
  if (type !== 'ImageDownloaded' || download === undefined || download.ended) return entry;
  const { downloadId: _, imageId: __, owner: ___, ended, ...sent } = data;
  return { download: { ...download, toldPosition: position, toldAt: recordedAt, ended, sent } };
}
