import type { JsonObject } from '../../../domain/json.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';
import { imageDocument, type Reading } from './image.ts';

/** JSON text of an image's document, made once for each of those to whom it looks alike, as long as the record is kept. */
export function imageTexts(): (record: ImageRecord, reading: Reading) => string {
  const views = new Map<string, WeakMap<ImageRecord, string>>();
  return (record, reading) => {
    const { view } = reading;
    if (view === null) return textOf(record, reading);
    const texts = views.get(view) ?? new WeakMap<ImageRecord, string>();
    views.set(view, texts);
    const known = texts.get(record);
    if (known !== undefined) return known;
    const text = textOf(record, reading);
    texts.set(record, text);
    return text;
  };
}

const textOf = (record: ImageRecord, reading: Reading): string =>
  JSON.stringify(imageDocument(record, reading));

/** The text of an object with further members, which it must not have. */
export function withMembers(text: string, more: JsonObject): string {
  const members = JSON.stringify(more);
  return members === '{}' ? text : `${text.slice(0, -1)},${members.slice(1)}`;
}
