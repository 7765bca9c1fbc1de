import { type DownloadEvent, isDownloadStream } from '../../domain/download-record/events.ts';
import type { RecordedEvent } from '../../domain/event-log.ts';
import type { Entry } from '../projection.ts';
import type { DownloadRecord } from './downloads.ts';

export type DownloadParts = { readonly download: DownloadRecord };

export const downloadIdOf = ({ streamId, data }: RecordedEvent): string | undefined =>
  isDownloadStream(streamId) && typeof data.downloadId === 'string' ? data.downloadId : undefined;

/** What is told last is told whole; nothing comes behind an end, not even that end once more. Who is told of was not lost. */
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
        ...{ toldPosition: position, toldAt: recordedAt, ended: false, lost: false, sent: null },
      },
    };
  }
  if (download === undefined || download.ended) return entry;
  const told = { ...download, toldPosition: position, toldAt: recordedAt };
  if (type === 'DownloadLost') return { download: { ...told, lost: true } };
  if (type !== 'ImageDownloaded') return entry;
  const { downloadId: _, imageId: __, owner: ___, ended, ...sent } = data;
  return { download: { ...told, lost: false, ended, sent } };
}
