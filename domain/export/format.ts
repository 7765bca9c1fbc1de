import type { JsonObject } from '../json.ts';
import { cadfEvent } from './cadf.ts';
import type { ExportRecord } from './record.ts';

/** What a record is written as, whichever way it goes. */
export interface Format {
  document(record: ExportRecord): JsonObject;
  /** The same for who takes no long messages: without what changed, which is to be looked up by its position. */
  abridged(record: ExportRecord): JsonObject;
}

export const formatNames = ['event', 'cadf'] as const;
export type FormatName = (typeof formatNames)[number];

export function formatNamed(name: FormatName, region: string): Format {
  switch (name) {
    case 'event':
      return {
        document: ({ document }) => document,
        abridged({ document }) {
          const { changes, details, ...rest } = document;
          return { ...rest, abridged: true };
        },
      };
    case 'cadf':
      return {
        document: (record) => cadfEvent(record, region),
        abridged(record) {
          const { attachments, ...rest } = cadfEvent(record, region);
          return { ...rest, tags: [...rest.tags, 'abridged?value=true'] };
        },
      };
  }
}
