import type { Extent } from '../staging.ts';

/**
 * Who read which bytes of an image. Everything that one caller, from one address, asks of one image without a long pause
 * is one download, however many requests it takes:
 *
 *     DownloadBegun      in the log before the first byte leaves
 *     ImageDownloaded    what was sent so far, all of it: again and again while it goes on, and a last time when it has
 *                        ended. The newest tells everything
 *
 *     DownloadLost       the gateway died: how far it got is known up to what was told last. Another gateway says so, once;
 *                        what comes behind it is of one that was only taken for dead
 *
 * Outside nobody is told (`domain/outside/exposure.ts`): who reads what is for the image's owner and for auditors.
 */
export type DownloadEvent =
  | {
      readonly type: 'DownloadBegun';
      readonly data: {
        readonly downloadId: string;
        readonly imageId: string;
        /** The project that owned the image. */
        readonly owner: string | null;
        /** Of the whole image, in bytes. */
        readonly size: number;
        /** Hash of the whole image, where one is known. */
        readonly hash: { readonly algorithm: string; readonly value: string } | null;
        /** What the first request asked for. */
        readonly asked: SentExtent;
        /** The gateway process: while it lives, the download may go on. */
        readonly writer: string;
      };
    }
  | {
      readonly type: 'ImageDownloaded';
      readonly data: {
        readonly downloadId: string;
        readonly imageId: string;
        readonly owner: string | null;
        /** Requests. */
        readonly reads: number;
        /** Sent, those sent twice counted twice. */
        readonly bytes: number;
        /** Every byte that was sent lies in one of these; in order, and apart. */
        readonly extents: readonly SentExtent[];
        /** Whether each byte of the extents was sent. Not so where there were too many gaps to tell the narrow ones. */
        readonly exact: boolean;
        /** Whether the whole image was sent. */
        readonly complete: boolean;
        /** ISO 8601, by the gateway's clock: when the first request came … */
        readonly firstAt: string;
        /** … and when the last byte left, or the last request ended. */
        readonly lastAt: string;
        /** Nothing comes behind this. */
        readonly ended: boolean;
      };
    }
  | {
      readonly type: 'DownloadLost';
      readonly data: {
        readonly downloadId: string;
        readonly imageId: string;
        readonly owner: string | null;
        readonly writer: string;
      };
    };

/** The first byte, and the one behind the last. */
export type SentExtent = readonly [start: number, end: number];

export const sentExtent = ({ start, end }: Extent): SentExtent => [start, end];

/**
 * `downloads-{YYYY-MM-DD}-{writer}-{number}`, by UTC. As with refusals each gateway process writes streams of its own, so
 * that it races nobody and need not read what it did not write.
 */
export const downloadStream = (at: Date, writer: string, number: number): string =>
  `downloads-${at.toISOString().slice(0, 10)}-${writer}-${number}`;

/** Of its own, so that of all gateways that want to say so one does. */
export const lostDownloadStream = (downloadId: string): string => `downloads-lost-${downloadId}`;

export const isDownloadStream = (streamId: string): boolean => streamId.startsWith('downloads-');
