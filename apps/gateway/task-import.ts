import { diskFormats } from '../../domain/image/formats.ts';
import type { JsonObject } from '../../domain/json.ts';
import { Refused } from '../../domain/refused.ts';
import type { Stores } from '../../infra/store/stores.ts';
import type { Call } from './call.ts';
import type { Commands } from './commands.ts';
import { HttpError } from './http-error.ts';
import type { Imports } from './imports.ts';
import { creationFrom } from './wire/create.ts';
import type { ImageSchema } from './wire/image-schema.ts';

/** Makes an image and has it imported, as the older way by a task of its own has it. */
export type TaskImporter = (
  call: Call,
  taskId: string,
  input: JsonObject,
) => Promise<string | null>;

/** Gives why nothing can come of it; null when the import is under way, as the attempt that the task's id names. */
export function taskImporter({
  commands,
  imports,
  schema,
  stores,
  importMethods,
}: {
  readonly commands: Pick<Commands, 'create' | 'perform'>;
  readonly imports: Imports;
  readonly schema: ImageSchema;
  readonly stores: Pick<Stores, 'defaultId'>;
  readonly importMethods: readonly string[];
}): TaskImporter {
  /** What a legal hold keeps stays, without bytes. */
  const undo = async (call: Call, imageId: string): Promise<void> => {
    try {
      await commands.perform(call, imageId, { type: 'DeleteImage', caller: call.caller });
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'image-held') throw error;
    }
  };

  return async (call, taskId, input) => {
    if (!importMethods.includes('web-download'))
      return 'This site cannot fetch images from elsewhere.';
    const { import_from: uri, import_from_format: format, image_properties: given } = input;
    const made: { imageId?: string } = {};
    try {
      const document = {
        disk_format: diskFormats.includes(String(format)) ? String(format) : 'qcow2',
        container_format: 'bare',
        ...(given as JsonObject),
      };
      const { imageId, attributes } = creationFrom(document, call.caller, schema);
      made.imageId = (await commands.create(call, imageId, attributes)).id;
      const asked = {
        method: { name: 'web-download', uri: String(uri), expected: null },
        stores: [stores.defaultId],
        unknown: [],
        allStoresMustSucceed: true,
      } as const;
      await imports.request(call, made.imageId, asked, { uploadId: taskId });
      return null;
    } catch (error) {
      const isTheirs =
        error instanceof Refused || (error instanceof HttpError && error.status < 500);
      if (!isTheirs) throw error;
      if (made.imageId !== undefined) await undo(call, made.imageId);
      return error.message;
    }
  };
}
