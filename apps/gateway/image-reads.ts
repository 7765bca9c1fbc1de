import type { Access } from '../../domain/image/access.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Images } from '../../projections/images/images.ts';
import type { ImageRecord } from '../../projections/images/record.ts';
import type { Call } from './call.ts';
import { unknownImage } from './commands.ts';
import type { ImportProgresses } from './import-progress.ts';
import { pageAnswers } from './page-answers.ts';
import { readings } from './reading.ts';
import { pageText } from './wire/image-page.ts';
import type { ImageSchema } from './wire/image-schema.ts';
import { imageTexts, withMembers } from './wire/image-text.ts';
import { listQueryFrom, type PageSizes } from './wire/list-query.ts';
import type { Showing } from './wire/places.ts';
import { parametersOf } from './wire/query-string.ts';

/** What a caller reads of images, as JSON (reference, section 6). Rejects with what the error's answer is made of. */
export interface ImageReads {
  /** The document of a record that the caller may see. */
  textOf(record: ImageRecord, call: Call): string;
  show(call: Call, imageId: string): Promise<string>;
  list(call: Call, queryString: string): Promise<Uint8Array>;
}

export interface ImageReadPorts {
  readonly images: Pick<Images, 'show' | 'list'>;
  readonly access: Access;
  readonly schema: ImageSchema;
  readonly stores: Stores;
  readonly showing: Showing;
  readonly pages: PageSizes;
  readonly progress: Pick<ImportProgresses, 'ofImage'>;
}

export function imageReads(ports: ImageReadPorts): ImageReads {
  const { images, access, pages, progress } = ports;
  const readingOf = readings(ports);
  const textOf = imageTexts();
  const answers = pageAnswers();
  return {
    textOf: (record, call) => textOf(record, readingOf(call)),
    async show(call, imageId) {
      const record = await visibleImage(ports, imageId, call);
      const text = textOf(record, readingOf(call));
      return withMembers(text, await progress.ofImage(record, call.caller));
    },
    async list(call, queryString) {
      const { caller } = call;
      const parameters = parametersOf(queryString);
      const reading = readingOf(call);
      const viewer = { projectId: caller.projectId, isAdmin: access.isAdmin(caller) };
      const query = listQueryFrom(parameters, viewer, reading, pages);
      access.authorizeOwn('get_images', caller);
      const page = await images.list(query);
      return answers.of(page, caller, queryString, () => {
        const shown = page.filter((record) => access.allows('get_image', record, caller));
        const texts = shown.map((record) => textOf(record, reading));
        return pageText({ page, images: texts }, parameters, query.limit);
      });
    },
  };
}

/** An image that the caller may see; 404 for every other. */
export async function visibleImage(
  { images, access }: { images: Pick<Images, 'show'>; access: Access },
  imageId: string,
  call: Call,
): Promise<ImageRecord> {
  access.requireProjectScope('get_image', call.caller);
  const record = await images.show(imageId);
  if (record === undefined) throw unknownImage(imageId);
  if (!access.allows('get_image', record, call.caller)) throw unknownImage(imageId, 'get_image');
  return record;
}
