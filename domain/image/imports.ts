import { Refused } from '../refused.ts';
import type { ImageLimits } from './attributes.ts';
import { differences, guardLimits } from './change.ts';
import type { Made, PipelineCommand } from './commands.ts';
import type { ImageEvent } from './events.ts';
import { type Image, isDownload, isThere, type Location, type Upload } from './state.ts';

type Command<Type extends PipelineCommand['type']> = PipelineCommand & { readonly type: Type };

/** What a download says before it is whole. A repeat, or a claim that got no further than those before, says nothing. */
export function decideAdvance(
  { uploadId, epoch, bytes }: Command<'RecordAdvance'>,
  upload: Upload,
): readonly ImageEvent[] {
  requireFetching(upload);
  return bytes > upload.fetched
    ? [{ type: 'ImportAdvanced', data: { uploadId, epoch, bytes } }]
    : [];
}

export function decideFetched(
  { uploadId, epoch, size, source }: Command<'CompleteFetch'>,
  upload: Upload,
): readonly ImageEvent[] {
  if (upload.stagedSize === size) return [];
  requireFetching(upload);
  return [{ type: 'ImportFetched', data: { uploadId, epoch, size, source } }];
}

function requireFetching({ uploadId, method, stagedSize }: Upload): void {
  if (!isDownload(method) || stagedSize !== null)
    throw new Refused('upload-ended', `attempt ${uploadId} has nothing to fetch`);
}

/** What a remote image says of itself wins over what the image had. */
export function decideDescription(
  { diskFormat, containerFormat, properties }: Command<'DescribeImport'>,
  state: Image,
  limits: ImageLimits,
): readonly ImageEvent[] {
  if (!isThere(state)) return [];
  const after = {
    ...state,
    diskFormat: diskFormat ?? state.diskFormat,
    containerFormat: containerFormat ?? state.containerFormat,
    properties: { ...state.properties, ...properties },
  };
  guardLimits(after, limits, state);
  return differences(state, after);
}

/** Stores that have the bytes: all that are left with `CompleteIngest`, which ends the attempt, else some of them. */
export function decideCopies(
  command: Command<'CompleteIngest' | 'RecordCopies'>,
  upload: Upload,
  state: Image,
): readonly ImageEvent[] {
  const { uploadId, epoch, result } = command;
  const { stored, digests, algorithm, detected, virtualSize } = result;
  const isFirst = !('content' in state) && upload.content.locations.length === 0;
  const made = isFirst && upload.method !== null ? result.made : undefined;
  const size = made?.size ?? sizeOf(upload, state);
  const written = upload.content.locations;
  const isLast = command.type === 'CompleteIngest';
  const news = stored.filter(({ store }) => !written.some((copy) => copy.store === store));
  const hasBytes = 'content' in state;
  const activates = !hasBytes && (isLast || !upload.allStoresMustSucceed);
  if (activates && written.length + news.length === 0)
    throw new Refused('upload-ended', `no store has the bytes of upload ${uploadId}`);
  const before = 'diskFormat' in state && state.diskFormat !== null ? state.diskFormat : '';
  const declared = made?.diskFormat ?? before;
  const known = hasBytes ? state.content.digests : upload.content.digests;
  for (const [name, value] of Object.entries(digests))
    if (known[name] !== undefined && known[name] !== value)
      throw new Refused('validation-conflict', `the bytes of upload ${uploadId} have changed`);
  const found: readonly ImageEvent[] =
    hasBytes || Object.keys(upload.content.digests).length > 0
      ? []
      : [
          { type: 'ImageDigested', data: { uploadId, digests, algorithm } },
          { type: 'DiskFormatInspected', data: { uploadId, declared, detected, virtualSize } },
        ];
  return [
    ...(made === undefined ? [] : becoming(made, state)),
    ...news.map(
      ({ store, key }): ImageEvent => ({
        type: 'ImageDataStored',
        data: { uploadId, epoch, store, key, size },
      }),
    ),
    ...found,
    ...(activates ? ([{ type: 'ImageActivated', data: { uploadId } }] as const) : []),
    ...(isLast && upload.method !== null
      ? ([{ type: 'ImportCompleted', data: { uploadId } }] as const)
      : []),
  ];
}

/** The operator's word, so that no limit of the image's owner is asked. */
function becoming({ size: _, properties, ...formats }: Made, state: Image): readonly ImageEvent[] {
  if (!isThere(state)) return [];
  const after = { ...state, ...formats, properties: { ...state.properties, ...properties } };
  return differences(state, after);
}

function sizeOf({ uploadId, method, stagedSize, content }: Upload, state: Image): number {
  if (content.locations.length > 0) return content.size;
  if (stagedSize !== null) return stagedSize;
  if (method?.name === 'copy-image' && 'content' in state) return state.content.size;
  throw new Refused('upload-ended', `upload ${uploadId} has nothing staged`);
}

export function decideStoreFailure(
  { uploadId, epoch, store, reason, message }: Command<'RecordStoreFailure'>,
  { method, stores, content }: Upload,
): readonly ImageEvent[] {
  const isOpen = stores.includes(store) && !content.locations.some((copy) => copy.store === store);
  return method !== null && isOpen
    ? [{ type: 'ImportStoreFailed', data: { uploadId, epoch, store, reason, message } }]
    : [];
}

/** All or nothing: copies of an image that has bytes anyway are taken back, the others were never anybody's. */
export function decideFailure(
  { uploadId, epoch, reason, message }: Command<'FailIngest'>,
  upload: Upload,
  state: Image,
): readonly ImageEvent[] {
  const failed: ImageEvent = { type: 'IngestFailed', data: { uploadId, epoch, reason, message } };
  const isCopying = upload.method?.name === 'copy-image' && upload.allStoresMustSucceed;
  if (!isCopying || !('content' in state)) return [failed];
  const isNew = (one: Location): boolean =>
    upload.content.locations.some(({ id, store }) => id === one.id && store === one.store);
  const { locations } = state.content;
  // The others may have been removed meanwhile, and the last copy is the image.
  if (locations.every(isNew)) return [failed];
  const taken = locations.filter(isNew).map(
    ({ id, store }): ImageEvent => ({
      type: 'LocationRemoved',
      data: { locationId: id, store },
    }),
  );
  return [...taken, failed];
}
