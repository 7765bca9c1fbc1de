import { Refused } from '../refused.ts';
import type { CallerCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import type { Existing } from './state.ts';

type Command<Type extends CallerCommand['type']> = CallerCommand & { readonly type: Type };

/** What an upload, or staging for an import, begins with. Formats may still be missing of what is only staged. */
export function decideBegin(
  command: Command<'BeginUpload' | 'BeginStaging'>,
  state: Existing,
): readonly ImageEvent[] {
  const { uploadId, owner, declaredSize, store } = command;
  if (state.upload?.uploadId === uploadId) return [];
  const wanted = command.type === 'BeginUpload' ? 'saving' : 'uploading';
  if (state.status !== 'queued')
    throw new Refused(
      'image-not-queued',
      `Image status transition from ${state.status} to ${wanted} is not allowed`,
    );
  if (state.upload !== null) throw busy();
  const begun = { uploadId, owner, declaredSize, store };
  if (command.type === 'BeginStaging')
    return [{ type: 'UploadStarted', data: { ...begun, purpose: 'stage' } }];
  requireFormats(state, 'formats-missing');
  return [{ type: 'UploadStarted', data: begun }];
}

/** What an accepted import begins with (reference, sections 9.1 and 14.2). */
export function decideImport(
  command: Command<'RequestImport' | 'RequestLocation'>,
  state: Existing,
): readonly ImageEvent[] {
  const { uploadId, method, stores, allStoresMustSucceed } = command;
  if (state.upload?.method != null) {
    if (state.upload.uploadId === uploadId) return [];
    throw busy();
  }
  const needed = method.name === 'glance-direct' ? 'uploading' : 'queued';
  if (state.status !== needed)
    throw new Refused(
      'wrong-status',
      `The image is ${state.status}: this needs an image that is ${needed}.`,
    );
  requireFormats(state, 'formats-missing-for-import');
  if (method.name !== 'glance-direct')
    return [{ type: 'ImportRequested', data: { uploadId, method, stores, allStoresMustSucceed } }];
  const { upload } = state;
  if (upload === null || upload.stagedSize === null)
    throw new Refused('wrong-status', 'The bytes of the image have not been staged yet.');
  return [
    {
      type: 'ImportRequested',
      data: { uploadId: upload.uploadId, method, stores, allStoresMustSucceed },
    },
  ];
}

const busy = (): Refused =>
  new Refused('operation-in-progress', 'Another operation on this image is in progress.');

/** Both, before an image can have bytes. */
export function requireFormats(
  state: Pick<Existing, 'diskFormat' | 'containerFormat'>,
  code: 'formats-missing' | 'formats-missing-for-import',
): void {
  for (const field of ['diskFormat', 'containerFormat'] as const)
    if (state[field] === null) {
      const name = field === 'diskFormat' ? 'disk_format' : 'container_format';
      throw new Refused(code, `Properties ${name} must be set prior to saving data.`);
    }
}
