import { Refused } from '../refused.ts';
import type { CallerCommand } from './commands.ts';
import type { ImageEvent, ImportMethod } from './events.ts';
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
  command: Command<'RequestImport' | 'RequestLocation' | 'RequestCopies'>,
  state: Existing,
): readonly ImageEvent[] {
  const { uploadId, method, stores, allStoresMustSucceed } = command;
  if (state.upload?.method != null) {
    if (state.upload.uploadId === uploadId) return [];
    throw busy();
  }
  const needed = statusNeeded[method.name];
  if (state.status !== needed)
    throw new Refused(
      'wrong-status',
      `The image is ${state.status}: this needs an image that is ${needed}.`,
    );
  if (method.name !== 'glance-download') requireFormats(state, 'formats-missing-for-import');
  const requested = { uploadId, method, stores, allStoresMustSucceed };
  if (command.type === 'RequestCopies') {
    const missing = storesWithout(command, state);
    return missing.length === 0
      ? []
      : [{ type: 'ImportRequested', data: { ...requested, stores: missing } }];
  }
  if (method.name !== 'glance-direct') return [{ type: 'ImportRequested', data: requested }];
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

/** What each way to fill an image begins with (reference, section 9.1). */
const statusNeeded = {
  'glance-direct': 'uploading',
  'web-download': 'queued',
  'glance-download': 'queued',
  location: 'queued',
  'copy-image': 'active',
} as const satisfies Record<ImportMethod['name'], Existing['status']>;

/** Those of the stores that a copy is to be made in. */
function storesWithout(
  { stores, missingOnly }: Command<'RequestCopies'>,
  state: Existing,
): readonly string[] {
  const has = (store: string): boolean =>
    'content' in state && state.content.locations.some((location) => location.store === store);
  const there = stores.find(has);
  if (there !== undefined && !missingOnly)
    throw new Refused('copy-exists', `Image is already present at store '${there}'`);
  return stores.filter((store) => !has(store));
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
