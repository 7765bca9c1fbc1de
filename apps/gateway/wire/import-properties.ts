import type { JsonObject } from '../../../domain/json.ts';
import type { ImageRecord } from '../../../projections/images/record.ts';

/** How far the last import is, as properties that only the server makes (reference, section 3.1). */
export function importProperties({ imports }: Pick<ImageRecord, 'imports'>): JsonObject {
  if (imports === null) return {};
  const { taskId, to, failed } = imports;
  return {
    ...(taskId === null ? {} : { os_glance_import_task: taskId }),
    ...(to === null
      ? {}
      : {
          os_glance_importing_to_stores: to.join(','),
          os_glance_failed_import: failed.join(','),
        }),
  };
}
